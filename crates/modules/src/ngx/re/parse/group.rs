//! Groups: what an opening parenthesis begins, and what the closing one makes of it.

use super::*;

impl Parser<'_> {
    /// What may stand at the very beginning: `(*UTF8)` and the like.
    pub(super) fn leading_verbs(&mut self) -> Parsed<()> {
        loop {
            if self.eat(b"(*UTF8)") || self.eat(b"(*UTF)") {
                self.utf8 = true;
            } else if !(self.eat(b"(*LF)")
                || self.eat(b"(*BSR_UNICODE)")
                || self.eat(b"(*NO_START_OPT)")
                || self.eat(b"(*NO_AUTO_POSSESS)"))
            {
                break;
            }
        }
        for verb in [
            "(*UCP)",
            "(*CR)",
            "(*CRLF)",
            "(*ANY)",
            "(*ANYCRLF)",
            "(*BSR_ANYCRLF)",
        ] {
            if self.rest().starts_with(verb.as_bytes()) {
                return Err(Bad {
                    message: format!("{verb} is not supported").into(),
                    offset: self.at,
                });
            }
        }
        Ok(())
    }

    fn open_frame(&mut self, opening: Opening) -> Parsed<()> {
        if self.frames.len() >= MAX_NESTING {
            return bad("parentheses are too deeply nested", self.at);
        }
        let frame = Frame::new(opening, self.flags);
        self.frames.push(std::mem::replace(&mut self.open, frame));
        self.repeatable = false;
        Ok(())
    }

    fn open_capture(&mut self) -> Parsed<()> {
        self.groups += 1;
        if self.groups <= self.most_groups {
            // (?| gives a number twice.
            self.needs_backtracking = true;
        }
        self.most_groups = self.most_groups.max(self.groups);
        self.open_frame(Opening::Capture(self.groups))
    }

    /// After a `(` at `start`.
    pub(super) fn open_group(&mut self, start: usize) -> Parsed<()> {
        match self.peek() {
            Some(b'*') => return self.verb(),
            Some(b'?') => self.at += 1,
            _ if self.flags.no_captures => return self.open_frame(Opening::Plain),
            _ => return self.open_capture(),
        }
        let around = |behind, negative| Opening::Around { behind, negative };
        let kind = self.peek();
        if kind != Some(b'-') && kind.is_some() {
            self.at += 1;
        }
        match kind {
            Some(b'#') => self.comment(),
            Some(b':') => self.open_frame(Opening::Plain),
            Some(b'>') => self.open_frame(Opening::Atomic),
            Some(b'=') => self.open_frame(around(false, false)),
            Some(b'!') => self.open_frame(around(false, true)),
            Some(b'|') => {
                let before = self.groups;
                self.open_frame(Opening::Reset {
                    before,
                    most: before,
                })
            }
            Some(b'<') => match self.peek() {
                Some(b'=') => {
                    self.at += 1;
                    self.open_frame(around(true, false))
                }
                Some(b'!') => {
                    self.at += 1;
                    self.open_frame(around(true, true))
                }
                Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' => {
                    self.named_group(b'>')
                }
                _ => bad("unrecognized character after (?<", self.at),
            },
            Some(b'\'') => self.named_group(b'\''),
            Some(b'P') => self.python_group(),
            Some(b'(') => self.condition(start),
            Some(b'R' | b'&' | b'+' | b'0'..=b'9') => {
                bad("recursion and subroutine calls are not supported", self.at)
            }
            Some(b'C') => bad("callouts are not supported", self.at),
            Some(b'-') if self.text.get(self.at + 1).is_some_and(u8::is_ascii_digit) => {
                bad("recursion and subroutine calls are not supported", self.at)
            }
            Some(b'^') => {
                let outside = self.flags;
                self.flags = Flags {
                    ungreedy: self.flags.ungreedy,
                    duplicate_names: self.flags.duplicate_names,
                    extra: self.flags.extra,
                    ..Flags::default()
                };
                self.flag_group(outside)
            }
            Some(b'-') | None => self.flag_group(self.flags),
            Some(_) => {
                self.at -= 1;
                self.flag_group(self.flags)
            }
        }
    }

    fn comment(&mut self) -> Parsed<()> {
        match self.rest().iter().position(|byte| *byte == b')') {
            Some(length) => {
                self.at += length + 1;
                Ok(())
            }
            None => bad("missing ) after comment", self.text.len()),
        }
    }

    /// `(?i)`, `(?i-s:`; `outside` are the flags before.
    fn flag_group(&mut self, outside: Flags) -> Parsed<()> {
        let mut on = true;
        loop {
            let Some(c) = self.peek() else {
                return bad("unrecognized character after (? or (?-", self.at);
            };
            self.at += 1;
            match c {
                b'-' => on = false,
                b'i' => self.flags.caseless = on,
                b'm' => self.flags.multi_line = on,
                b's' => self.flags.dot_all = on,
                b'x' => self.flags.extended = on,
                b'U' => self.flags.ungreedy = on,
                b'J' => self.flags.duplicate_names = on,
                b'X' => self.flags.extra = on,
                b'n' => self.flags.no_captures = on,
                b')' => {
                    self.repeatable = false;
                    return Ok(());
                }
                b':' => {
                    self.open_frame(Opening::Plain)?;
                    self.open.flags = outside;
                    return Ok(());
                }
                _ => return bad("unrecognized character after (? or (?-", self.at - 1),
            }
        }
    }

    fn name(&mut self, end: &[u8]) -> Parsed<Box<[u8]>> {
        let start = self.at;
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return bad("group name must start with a non-digit", start);
        }
        while (self.peek()).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            self.at += 1;
        }
        let name: Box<[u8]> = self.text.get(start..self.at).unwrap_or_default().into();
        if !self.rest().starts_with(end) {
            return bad(
                "syntax error in subpattern name (missing terminator)",
                self.at,
            );
        }
        if name.is_empty() {
            return bad("subpattern name expected", self.at);
        }
        if name.len() > 32 {
            return bad(
                "subpattern name is too long (maximum 32 characters)",
                self.at,
            );
        }
        Ok(name)
    }

    fn named_group(&mut self, end: u8) -> Parsed<()> {
        let name = self.name(&[end])?;
        let number = self.groups + 1;
        match self.name_of.get(&number) {
            Some(other) if *other == name => {
                self.at += 1;
                return self.open_capture();
            }
            Some(_) => {
                return bad(
                    "different names for subpatterns of the same number are not allowed",
                    self.at,
                );
            }
            None => {}
        }
        let numbers = self.names.entry(name.clone()).or_default();
        if !numbers.is_empty() && !self.flags.duplicate_names {
            return bad("two named subpatterns have the same name", self.at);
        }
        numbers.push(number);
        self.name_of.insert(number, name);
        self.at += 1;
        self.open_capture()
    }

    fn python_group(&mut self) -> Parsed<()> {
        match self.peek() {
            Some(b'<') => {
                self.at += 1;
                self.named_group(b'>')
            }
            Some(b'=') => {
                self.at += 1;
                self.named_reference(b")")
            }
            Some(b'>') => bad("recursion and subroutine calls are not supported", self.at),
            _ => bad("unrecognized character after (?P", self.at),
        }
    }

    /// After the `(?P=` or `\k<` of a reference.
    pub(super) fn named_reference(&mut self, end: &[u8]) -> Parsed<()> {
        let name = self.name(end)?;
        let at = self.at;
        self.at += end.len();
        self.back_reference(Target::Name(name), at);
        Ok(())
    }

    /// Where in the references a target is, which was first mentioned at `offset`.
    fn target(&mut self, target: Target, offset: usize) -> usize {
        let next = self.targets.len();
        let id = *self.target_ids.entry(target.clone()).or_insert(next);
        if id == next {
            self.targets.push((target, offset));
        }
        id
    }

    pub(super) fn back_reference(&mut self, target: Target, offset: usize) {
        let reference = self.target(target, offset);
        self.needs_backtracking = true;
        self.push(Node::back_reference(reference, self.flags.caseless));
    }

    /// After the second `(` of `(?(`.
    fn condition(&mut self, start: usize) -> Parsed<()> {
        self.needs_backtracking = true;
        if self.peek() == Some(b'?') {
            // An assertion: it is read as a group, and taken from there when it is closed.
            self.open_frame(Opening::Conditional(None))?;
            let what = self.rest();
            let assertion = [&b"?="[..], b"?!", b"?<=", b"?<!"];
            if !assertion.iter().any(|begin| what.starts_with(begin)) {
                return bad("assertion expected after (?(", self.at);
            }
            return self.open_group(start + 2);
        }
        let condition = self.condition_group()?;
        if !self.eat(b")") {
            return bad("malformed number or name after (?(", self.at);
        }
        self.open_frame(Opening::Conditional(Some(condition)))
    }

    fn condition_group(&mut self) -> Parsed<Condition> {
        let sign = match self.peek() {
            Some(sign @ (b'+' | b'-')) => Some(sign),
            _ => None,
        };
        if sign.is_some() {
            self.at += 1;
        }
        if let Some(number) = self.number() {
            let number = match sign {
                Some(b'-') if number == 0 => 0,
                Some(b'-') => (self.groups + 1).saturating_sub(number),
                Some(_) => self.groups.saturating_add(number),
                None => number,
            };
            let offset = self.at + 1;
            return Ok(Condition::Group(
                self.target(Target::Number(number), offset),
            ));
        }
        let name = match self.peek() {
            Some(b'<') => {
                self.at += 1;
                let name = self.name(b">")?;
                self.at += 1;
                name
            }
            Some(b'\'') => {
                self.at += 1;
                let name = self.name(b"'")?;
                self.at += 1;
                name
            }
            Some(b'R') if matches!(self.text.get(self.at + 1), Some(b')' | b'&' | b'0'..=b'9')) => {
                return bad("recursion and subroutine calls are not supported", self.at);
            }
            _ => self.name(b")")?,
        };
        if *name == *b"DEFINE" && !self.names.contains_key(&name) {
            return Ok(Condition::Never);
        }
        let offset = self.at + 1;
        Ok(Condition::Group(self.target(Target::Name(name), offset)))
    }

    fn verb(&mut self) -> Parsed<()> {
        let length = self.rest().iter().position(|byte| *byte == b')');
        let inside = length.and_then(|length| self.rest().get(1..length));
        let unknown = "(*VERB) not recognized or malformed";
        match inside {
            Some(b"F" | b"FAIL") => {
                self.at += length.unwrap_or(0) + 1;
                self.push(Node::fail());
                self.repeatable = false;
                Ok(())
            }
            Some(name) => {
                let verb = name.split(|byte| *byte == b':').next().unwrap_or_default();
                let known = [
                    &b"ACCEPT"[..],
                    b"COMMIT",
                    b"PRUNE",
                    b"SKIP",
                    b"THEN",
                    b"MARK",
                    b"",
                ];
                let end = self.at + 1 + name.iter().take_while(|b| b.is_ascii_alphabetic()).count();
                if known.contains(&verb) && !name.is_empty() {
                    return bad("backtracking control verbs are not supported", end);
                }
                bad(unknown, end)
            }
            None => bad(unknown, self.text.len()),
        }
    }

    /// After a `)` at `end`.
    pub(super) fn close_group(&mut self, end: usize) -> Parsed<()> {
        let Some(outer) = self.frames.pop() else {
            return bad("unmatched parentheses", end);
        };
        self.next_alternative(end);
        let Frame {
            opening,
            flags,
            mut alternatives,
            ..
        } = std::mem::replace(&mut self.open, outer);
        self.flags = flags;
        if alternatives.iter().any(|node| node.depth > MAX_DEPTH) {
            return bad("parentheses are too deeply nested", end);
        }
        let node = match opening {
            Opening::Plain => Node::alternate(alternatives),
            Opening::Capture(number) => Node::capture(number, Node::alternate(alternatives)),
            Opening::Atomic => {
                self.needs_backtracking = true;
                Node::atomic(Node::alternate(alternatives))
            }
            Opening::Reset { most, .. } => {
                self.groups = most;
                Node::alternate(alternatives)
            }
            Opening::Around { behind, negative } => {
                self.needs_backtracking = true;
                let node = Node::alternate(alternatives);
                let around = Around {
                    node,
                    behind,
                    negative,
                };
                if let Opening::Conditional(condition @ None) = &mut self.open.opening {
                    *condition = Some(Condition::Around(around));
                    self.repeatable = false;
                    return Ok(());
                }
                Node::around(around)
            }
            Opening::Conditional(condition) => {
                if alternatives.len() > 2 {
                    return bad("conditional group contains more than two branches", end);
                }
                if matches!(condition, Some(Condition::Never)) && alternatives.len() > 1 {
                    return bad("DEFINE group contains more than one branch", end);
                }
                let no = match alternatives.len() {
                    2 => alternatives.pop(),
                    _ => None,
                };
                let yes = alternatives.pop().unwrap_or_else(Node::empty);
                Node::conditional(Conditional {
                    condition: condition.unwrap_or(Condition::Never),
                    yes,
                    no,
                })
            }
        };
        self.push(node);
        Ok(())
    }
}
