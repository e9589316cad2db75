//! A line diff for people: what was expected and not printed, what was printed and not expected, with a little of what
//! surrounds it.

/// Lines shown before and after each difference.
const CONTEXT: usize = 2;
/// Beyond this many lines on either side the quadratic alignment is not worth its memory; the first difference is shown.
const ALIGNED_LINES: usize = 2000;

enum Edit {
    Same(usize),
    Missing(usize),
    Extra(usize),
}

/// Renders the difference between two texts, or `None` where they are the same. `-` marks what was expected, `+` what
/// came instead.
pub fn lines(expected: &[String], got: &[String]) -> Option<String> {
    if expected == got {
        return None;
    }
    let edits = if expected.len().max(got.len()) <= ALIGNED_LINES {
        align(expected, got)
    } else {
        head_of(expected, got)
    };
    let near_change = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        let to = (at + CONTEXT + 1).min(edits.len());
        edits[from..to].iter().any(|e| !matches!(e, Edit::Same(_)))
    };
    let mut out = String::new();
    let mut skipped = false;
    for (at, edit) in edits.iter().enumerate() {
        if !near_change(at) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out.push_str("  ...\n");
        }
        let (mark, line) = match edit {
            Edit::Same(i) => (' ', &expected[*i]),
            Edit::Missing(i) => ('-', &expected[*i]),
            Edit::Extra(i) => ('+', &got[*i]),
        };
        out.push_str(&format!("{mark} {line}\n"));
    }
    Some(out)
}

/// Longest common subsequence by dynamic programming.
fn align(a: &[String], b: &[String]) -> Vec<Edit> {
    let width = b.len() + 1;
    let mut best = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            best[i * width + j] = if a[i] == b[j] {
                best[(i + 1) * width + j + 1] + 1
            } else {
                best[(i + 1) * width + j].max(best[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut edits = Vec::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            edits.push(Edit::Same(i));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len()
            || (i < a.len() && best[(i + 1) * width + j] >= best[i * width + j + 1])
        {
            edits.push(Edit::Missing(i));
            i += 1;
        } else {
            edits.push(Edit::Extra(j));
            j += 1;
        }
    }
    edits
}

/// The common head and the twenty lines after it.
fn head_of(a: &[String], b: &[String]) -> Vec<Edit> {
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let mut edits: Vec<Edit> = (0..same).map(Edit::Same).collect();
    edits.extend((same..a.len().min(same + 20)).map(Edit::Missing));
    edits.extend((same..b.len().min(same + 20)).map(Edit::Extra));
    edits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(lines(&split("a b"), &split("a b")), None);
    }

    #[test]
    fn shows_the_change_with_its_surroundings() {
        let diff = lines(&split("a b c d e f"), &split("a b c X e f")).unwrap();
        assert_eq!(diff, "  ...\n  b\n  c\n- d\n+ X\n  e\n  f\n");
    }

    #[test]
    fn an_insertion_and_a_deletion_are_one_line_each() {
        assert_eq!(
            lines(&split("a c"), &split("a b c")).unwrap(),
            "  a\n+ b\n  c\n"
        );
        assert_eq!(
            lines(&split("a b c"), &split("a c")).unwrap(),
            "  a\n- b\n  c\n"
        );
    }

    #[test]
    fn huge_outputs_are_cut_to_the_first_difference() {
        let a: Vec<String> = (0..3000).map(|i| i.to_string()).collect();
        let mut b = a.clone();
        b[2500] = "other".into();
        let diff = lines(&a, &b).unwrap();
        assert!(diff.contains("- 2500") && diff.contains("+ other"));
        assert!(diff.lines().count() < 60);
    }
}
