//! A Rust type for scripts: a queue with methods, a field and metamethods.
//!
//! `cargo run -p rille-lua --example userdata`

use rille_lua::prelude::*;
use std::collections::VecDeque;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<String>,
    served: usize,
}

impl LuaUserData for Queue {
    fn add_fields<F: LuaUserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("served", |_, this| Ok(this.served));
    }

    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("push", |_, this, jobs: LuaVariadic<String>| {
            this.jobs.extend(jobs);
            Ok(())
        });
        methods.add_method_mut("pop", |_, this, ()| {
            let job = this.jobs.pop_front();
            this.served += usize::from(job.is_some());
            Ok(job)
        });
        methods.add_meta_method(LuaMetaMethod::Len, |_, this, ()| Ok(this.jobs.len()));
    }
}

fn main() -> LuaResult<()> {
    let lua = Lua::new();
    lua.globals().set("queue", Queue::default())?;
    lua.load(
        r#"
        queue:push("wash", "dry", "fold")
        print(#queue .. " jobs")
        for job in function() return queue:pop() end do print("doing " .. job) end
        print(queue.served .. " served")
        "#,
    )
    .exec()?;
    let queue: LuaAnyUserData = lua.globals().get("queue")?;
    assert_eq!(queue.borrow::<Queue>()?.served, 3);
    Ok(())
}
