//! `rille lua` as a user runs it: options, `arg`, standard input, the prompt, errors, limits, exit codes.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

struct Ran {
    out: String,
    err: String,
    code: Option<i32>,
}

fn rille() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command
        .arg("lua")
        .env_remove("LUA_INIT")
        .env_remove("LUA_INIT_5_4")
        .env_remove("LUA_PATH");
    command
}

fn finish(output: Output) -> Ran {
    Ran {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code(),
    }
}

fn lua(args: &[&str]) -> Ran {
    finish(
        rille()
            .args(args)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts"),
    )
}

fn lua_with_input(args: &[&str], input: &str) -> Ran {
    let mut child = rille()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes())
        .expect("it reads");
    finish(child.wait_with_output().expect("it ends"))
}

fn script(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a temporary file");
    path.to_string_lossy().into_owned()
}

#[test]
fn options_run_in_order() {
    let ran = lua(&["-e", "x = 1", "-ex = x + 1", "-e", "print(x)"]);
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("2\n", Some(0)),
        "{}",
        ran.err
    );
    let ran = lua(&["-v"]);
    assert!(ran.out.starts_with("Lua 5.4 (Rille "), "{}", ran.out);
    let ran = lua(&["-W", "-e", "warn 'careful'"]);
    assert_eq!(ran.err, "Lua warning: careful\n");
    let ran = lua(&["-e", "warn 'careful'"]);
    assert_eq!(ran.err, "");
}

#[test]
fn scripts_get_their_arguments() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = script(
        folder.path(),
        "s.lua",
        "#!/usr/bin/env lua\nprint(#arg, arg[0] == (...), ...)\nprint(arg[-1], arg[-2], arg[-3])",
    );
    let ran = lua(&["-e", "", &file, "-e", "b"]);
    assert_eq!(ran.out, "2\tfalse\t-e\tb\n\t-e\tlua\n", "{}", ran.err);
    let ran = lua(&["--", &file]);
    let program = env!("CARGO_BIN_EXE_rille");
    assert_eq!(ran.out, format!("0\tfalse\n--\tlua\t{program}\n"));
    let ran = lua(&["-e", "print(arg[0], arg[1], #arg)"]);
    assert_eq!(ran.out, "lua\t-e\t2\n");
}

#[test]
fn programs_on_standard_input() {
    let ran = lua_with_input(&["-", "a", "b"], "print(...)\nprint(arg[0])");
    assert_eq!(ran.out, "a\tb\n-\n", "{}", ran.err);
    let ran = lua_with_input(&[], "print('piped')");
    assert_eq!(ran.out, "piped\n");
    let ran = lua_with_input(&[], "local x = nil\nx.y = 1");
    assert!(
        ran.err.starts_with(
            "lua: stdin:2: attempt to index a nil value (local 'x')\nstack traceback:\n"
        ),
        "{}",
        ran.err
    );
    // The reference does not look at how it went, unless it is told `-`.
    assert_eq!(ran.code, Some(0));
    assert_eq!(lua_with_input(&["-"], "error()").code, Some(1));
}

#[test]
fn libraries_are_required_into_globals() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    script(folder.path(), "mod.lua", "return {name = ...}");
    let path = format!("{}/?.lua", folder.path().display());
    let run = |args: &[&str]| {
        finish(
            rille()
                .env("LUA_PATH", &path)
                .args(args)
                .output()
                .expect("the program starts"),
        )
    };
    assert_eq!(run(&["-l", "mod", "-e", "print(mod.name)"]).out, "mod\n");
    assert_eq!(
        run(&["-lm=mod", "-e", "print(m.name, mod)"]).out,
        "mod\tnil\n"
    );
    let ran = run(&["-l", "nomod"]);
    assert!(
        ran.err.starts_with("lua: module 'nomod' not found:"),
        "{}",
        ran.err
    );
    assert_eq!(ran.code, Some(1));
    // -E ignores the variable.
    assert_eq!(run(&["-E", "-l", "mod"]).code, Some(1));
}

#[test]
fn lua_init_runs_first() {
    let run = |args: &[&str], value: &str| {
        finish(
            rille()
                .env("LUA_INIT", value)
                .args(args)
                .output()
                .expect("the program starts"),
        )
    };
    assert_eq!(run(&["-e", "print(x)"], "x = 5").out, "5\n");
    assert_eq!(run(&["-E", "-e", "print(x)"], "x = 5").out, "nil\n");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = script(folder.path(), "init.lua", "x = 'from file'");
    assert_eq!(
        run(&["-e", "print(x)"], &format!("@{file}")).out,
        "from file\n"
    );
    let ran = run(&["-e", "print(x)"], "x x");
    assert_eq!(
        (ran.err.as_str(), ran.code),
        ("lua: LUA_INIT:1: syntax error near 'x'\n", Some(1))
    );
}

#[test]
fn errors_read_as_lua_prints_them() {
    let ran = lua(&["-e", "local function f() error('boom') end f()"]);
    let expected = "lua: (command line):1: boom\nstack traceback:\n\t[C]: in function 'error'\n\t(command line):1: in local 'f'\n\t(command line):1: in main chunk\n\t[C]: in ?\n";
    assert_eq!((ran.err.as_str(), ran.code), (expected, Some(1)));
    assert!(
        lua(&["-e", "error({})"])
            .err
            .starts_with("lua: (error object is a table value)\nstack traceback:")
    );
    assert_eq!(
        lua(&[
            "-e",
            "error(setmetatable({}, {__tostring = function() return 'shown' end}))"
        ])
        .err,
        "lua: shown\n"
    );
    assert_eq!(
        lua(&["-e", "x ="]).err,
        "lua: (command line):1: unexpected symbol near <eof>\n"
    );
    let ran = lua(&["/no/such/file.lua"]);
    assert_eq!(
        (ran.err.as_str(), ran.code),
        (
            "lua: cannot open /no/such/file.lua: No such file or directory\n",
            Some(1)
        )
    );
}

#[test]
fn usage_is_exit_code_1() {
    for (args, problem) in [
        (&["-x"][..], "lua: unrecognized option '-x'\n"),
        (&["-e"], "lua: '-e' needs argument\n"),
        (&["--max-memory"], "lua: '--max-memory' needs argument\n"),
        (
            &["--dialect", "5.6", "-e", ""],
            "lua: '--dialect 5.6': the versions are 5.1, 5.2, 5.3, 5.4 and 5.5\n",
        ),
    ] {
        let ran = lua(args);
        assert!(
            ran.err.starts_with(problem) && ran.err.contains("usage: lua [options]"),
            "{}",
            ran.err
        );
        assert_eq!(ran.code, Some(1));
    }
}

#[test]
fn the_program_under_another_name_is_lua() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let named = |name: &str, args: &[&str]| {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rille"), &path).expect("a link");
        let mut command = Command::new(&path);
        command.args(args).env_remove("LUA_INIT");
        let ran = finish(command.output().expect("the program starts"));
        (path.to_string_lossy().into_owned(), ran)
    };
    let (path, ran) = named("lua", &["-e", "print(arg[0], arg[-1])"]);
    assert_eq!(ran.out, format!("{path}\tnil\n"), "{}", ran.err);
    let (path, ran) = named("lua5.4", &["-e", "error 'e'"]);
    assert!(
        ran.err
            .starts_with(&format!("{path}: (command line):1: e\n")),
        "{}",
        ran.err
    );
    // The version in the name is the one that runs.
    for version in ["5.1", "5.2", "5.3", "5.5"] {
        let (_, ran) = named(&format!("lua{version}"), &["-e", "print(_VERSION)"]);
        assert_eq!(ran.out, format!("Lua {version}\n"), "{}", ran.err);
    }
    let (_, ran) = named("other", &["-e", "print 'ran'"]);
    assert_eq!((ran.out.as_str(), ran.code), ("", Some(2)));
}

#[test]
fn input_of_a_file_is_shown_at_the_prompt() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = script(folder.path(), "typed", "x = 1\nx + 1");
    let mut command = rille();
    command.args(["-e", "_PROMPT = '? '", "-i"]);
    let input = std::fs::File::open(&file).expect("the file");
    let ran = finish(command.stdin(input).output().expect("the program starts"));
    let shown = ran.out.split_once('\n').expect("the version").1;
    assert_eq!(shown, "? x = 1\n? x + 1\n2\n? \n");
}

#[test]
fn limits_hold_at_the_prompt_and_at_the_end() {
    // What the prompt itself calls is limited too.
    for typed in [
        "setmetatable(_G, {__index = function() while true do end end})\n",
        "_PROMPT = setmetatable({}, {__tostring = function() while true do end end})\n",
        "print = function() while true do end end\n1\n",
        "setmetatable({}, {__gc = function() while true do end end})\nwhile true do end\n",
    ] {
        let ran = lua_with_input(&["--max-instructions", "20_000_000", "-i"], typed);
        assert!(
            ran.err.contains("instruction limit of 20000000 exceeded"),
            "{typed}{}",
            ran.err
        );
        assert_eq!(ran.code, Some(70), "{typed}");
    }
    let ran = lua(&[
        "--timeout",
        "1s",
        "-e",
        "setmetatable({}, {__gc = function() while true do end end})",
    ]);
    assert_eq!(ran.code, Some(0));
    // Without a limit, finalizers at the end take the time they take.
    let ran = lua(&[
        "-e",
        "setmetatable({}, {__gc = function() for i = 1, 1.1e8 do end print 'all of it' end})",
    ]);
    assert_eq!((ran.out.as_str(), ran.code), ("all of it\n", Some(0)));
}

#[test]
fn what_is_printed_goes_out_at_once() {
    // Another program may wait for it.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gate = folder.path().join("gate");
    let made = Command::new("mkfifo")
        .arg(&gate)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
    let code = format!("print 'ask' print(io.open('{}'):read())", gate.display());
    let mut child = rille()
        .args(["-e", &code])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    assert_eq!(lines.next().expect("a line").expect("text"), "ask");
    std::fs::write(&gate, "answer\n").expect("it reads");
    assert_eq!(lines.next().expect("a line").expect("text"), "answer");
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn the_main_script_is_the_main_coroutine() {
    let ran = lua(&[
        "-e",
        "local co, main = coroutine.running() print(type(co), main, coroutine.isyieldable(), pcall(coroutine.yield))",
    ]);
    assert_eq!(
        ran.out, "thread\ttrue\tfalse\tfalse\tattempt to yield from outside a coroutine\n",
        "{}",
        ran.err
    );
    let ran = lua(&["-e", "os.exit(7)"]);
    assert_eq!(ran.code, Some(7));
    let ran = lua(&[
        "-e",
        "setmetatable({}, {__gc = function() print 'closed' end})",
    ]);
    assert_eq!((ran.out.as_str(), ran.code), ("closed\n", Some(0)));
}

#[test]
fn the_prompt_shows_results_and_asks_for_more() {
    let ran = lua_with_input(
        &["-i"],
        "x = 1\nx + 1\n=x, nil\nfor i = 1, 2 do\nprint(i) end\nerror('q')\n_PROMPT = '$ '\n'end'\n",
    );
    let lines: Vec<&str> = ran.out.split('\n').collect();
    assert!(lines[0].starts_with("Lua 5.4"), "{}", ran.out);
    assert_eq!(
        lines[1..],
        ["> > 2", "> 1\tnil", "> >> 1", "2", "> > $ end", "$ ", ""]
    );
    assert!(
        ran.err.starts_with("stdin:1: q\nstack traceback:\n"),
        "{}",
        ran.err
    );
    assert_eq!(ran.code, Some(0));
}

#[test]
fn a_memory_limit_is_exit_code_70() {
    let ran = lua(&[
        "--sandbox",
        "--max-memory",
        "16MiB",
        "-e",
        "local s = 'x' while true do s = s .. s end",
    ]);
    assert_eq!(
        (ran.err.as_str(), ran.code),
        ("lua: not enough memory\n", Some(70))
    );
    let ran = lua(&[
        "--max-memory=16MiB",
        "-e",
        "local t = {} while true do t[#t + 1] = {} end",
    ]);
    assert_eq!(
        (ran.err.as_str(), ran.code),
        ("lua: not enough memory\n", Some(70))
    );
    // One that is caught is an ordinary error.
    let ran = lua(&[
        "--max-memory",
        "16MiB",
        "-e",
        "print(pcall(string.rep, 'x', 1 << 30))",
    ]);
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("false\tnot enough memory\n", Some(0))
    );
}

#[test]
fn an_instruction_limit_ends_hidden_loops() {
    for code in [
        "while true do pcall(function() while true do end end) end",
        "local function f() return coroutine.wrap(function() pcall(f) while true do pcall(coroutine.wrap(function() while true do end end)) end end)() end f()",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) while true do pcall(function() return t[1] end) end",
        "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
        "setmetatable({}, {__gc = function() while true do end end}) while true do local t = {} end",
        "table.sort({3, 2, 1}, function() while true do end end)",
        "load(function() return ' ' end)",
    ] {
        let ran = lua(&["--max-instructions", "20_000_000", "-e", code]);
        assert_eq!(
            (ran.err.as_str(), ran.code),
            (
                "lua: (command line):1: instruction limit of 20000000 exceeded\n",
                Some(70)
            ),
            "{code}"
        );
    }
}

#[test]
fn a_time_limit_ends_a_loop() {
    let start = Instant::now();
    let ran = lua(&[
        "--timeout",
        "300ms",
        "-e",
        "while true do pcall(function() while true do end end) end",
    ]);
    assert_eq!(
        (ran.err.as_str(), ran.code),
        (
            "lua: (command line):1: time limit of 300ms exceeded\n",
            Some(70)
        )
    );
    assert!(start.elapsed() >= Duration::from_millis(300));
    let ran = lua(&["--timeout", "60s", "-e", "print 'in time'"]);
    assert_eq!((ran.out.as_str(), ran.code), ("in time\n", Some(0)));
}

#[test]
fn the_sandbox_reaches_nothing_outside() {
    let ran = lua(&[
        "--sandbox",
        "-e",
        "print(io and io.popen, os.execute, os.exit, dofile, loadfile, package and package.loadlib, string.dump)",
    ]);
    assert_eq!(
        ran.out, "nil\tnil\tnil\tnil\tnil\tnil\tnil\n",
        "{}",
        ran.err
    );
    let ran = finish(
        rille()
            .env("LUA_INIT", "print 'init'")
            .args(["--sandbox", "-e", ""])
            .output()
            .expect("the program starts"),
    );
    assert_eq!(ran.out, "");
}

#[test]
fn bytecode_is_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = script(folder.path(), "s.lua", "#!lua\nlocal x = ...\nreturn x + 1");
    let ran = lua(&["--disassemble", &file]);
    assert!(
        ran.out.contains("function main") && ran.out.contains("RETURN"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(lua(&["--disassemble", "/no/such"]).code, Some(1));
}

#[test]
fn the_heap_checker_finds_nothing() {
    let ran = finish(
        rille()
            .env("RILLE_GC_STRESS", "1")
            .env("RILLE_GC_QUARANTINE", "1")
            .env("RILLE_GC_CHECK", "1")
            .args([
                "-e",
                "local t = {} for i = 1, 200 do t[i] = {i .. ''} end print(#t)",
            ])
            .output()
            .expect("the program starts"),
    );
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("200\n", Some(0)),
        "{}",
        ran.err
    );
}

/// For measurements: what depends on chance is the same in every run that is told so, and in the sandbox never.
#[test]
fn a_seed_makes_runs_alike() {
    let run = |seed: &str, options: &[&str]| {
        let script = "print(math.random(0), math.random(0))";
        let output = rille()
            .env("RILLE_HASH_SEED", seed)
            .args(options)
            .args(["-e", script])
            .output();
        let ran = finish(output.expect("the program starts"));
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out
    };
    assert_eq!(run("1", &[]), run("1", &[]));
    assert_ne!(run("1", &[]), run("2", &[]));
    assert_ne!(run("no number", &[]), run("no number", &[]));
    assert_ne!(run("1", &["--sandbox"]), run("1", &["--sandbox"]));
}
