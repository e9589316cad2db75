//! Tasks beside requests: two workers, one counter, asked from both.

mod serve_support;

use rille_testkit::http;
use serve_support::{folder, serve_with};
use std::time::Duration;

#[test]
fn requests_of_all_workers_ask_the_task_of_one() {
    let dir = folder(&[
        (
            "rille.toml",
            "[supervisor]\nbackoff = \"10 ms\"\n[[task]]\nname = \"Counter\"\n",
        ),
        (
            "main.lua",
            "function Counter()
               local n = 0
               while true do
                 local e = task.receive()
                 if e.parameter == 'crash' then error('asked to', 0) end
                 n = n + 1
                 task.send(e.sender, 'count', n)
               end
             end",
        ),
        (
            "index.lua",
            "return function(request)
               local ok, err = task.send('Counter', 'next', request.query.how)
               if not ok then return 503, err end
               local e = task.receive(0.3)
               return e and tostring(e.parameter) or 'no answer'
             end",
        ),
    ]);
    let server = serve_with(dir.path(), &["--workers", "2"]);
    let get = |target: &str| http::get(server.address(), target).unwrap();
    // Connections go to either worker; the count is one.
    for i in 1..=40 {
        assert_eq!(get("/").text(), i.to_string());
    }
    assert_eq!(get("/main").status, 404, "main.lua is for tasks");
    assert_eq!(get("/?how=crash").text(), "no answer");
    let line = server.wait_for_log("task Counter", Duration::from_secs(10));
    assert!(line.unwrap().contains("crashed: asked to"));
    let mut answers = (0..50).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        get("/").text()
    });
    assert!(answers.any(|answer| answer == "1"), "it was started again");
}
