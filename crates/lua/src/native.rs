//! Native functions: how Rust code is called from Lua without a native recursion.
//!
//! A native function gets a [`Ctx`] and returns an [`Action`]: what the interpreter is to do next. It never calls Lua
//! itself: to call a function it pushes the function and its arguments and returns [`Ctx::call`] with a
//! *continuation*, which is entered with the results. Between the two the native is a frame on the coroutine's
//! stack, and its state is in its argument slots. So everything can yield, be preempted or be killed meanwhile.
//!
//! ```text
//!   stack:  ... | function | arg 0 | arg 1 | ... | arg n-1 | pushed values ...
//!                            ^ base                          ^ top grows here
//! ```
//!
//! **Rules for a native**
//! - Every value it uses across an allocation is on the stack (arguments are; pushed values are).
//! - It charges fuel for work that its input can make large (`charge`), *before* the work, and does such work in
//!   chunks: when [`Ctx::should_pause`] says so it stores its state in its argument slots and returns [`Ctx::pause`].
//! - Results are the last values pushed: `Action::Return(n)`.

pub use crate::buffer::Buffer;
use crate::heap::Gc;
use crate::number::{self, Number};
use crate::string::{Str, as_c_string};
use crate::table::Table;
use crate::userdata::UserDataObject;
use crate::value::{Type, Val, tag};
use crate::vm::Vm;

/// That something was thrown. The value is in the VM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thrown {
    /// An ordinary error; scripts can catch it.
    Error,
    /// The coroutine is being stopped; nothing catches it.
    Stopped,
    /// An error whose message handler has run, or that gets none.
    Handled,
}

/// What the interpreter does after a native returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The native's results are the last `n` values on the stack.
    Return(u32),
    /// Made by `Ctx::call` and its variants.
    Call {
        /// Arguments above the function.
        nargs: u32,
    },
    /// Made by `Ctx::tail_call`: the callee's results are the native's.
    TailCall {
        /// Arguments above the function.
        nargs: u32,
    },
    /// Made by `Ctx::yield_values`.
    Yield(u32),
    /// Made by `Ctx::resume`.
    Resume {
        /// Values passed in.
        nargs: u32,
    },
    /// Made by `Ctx::close_thread`.
    CloseThread,
    /// Made by `Ctx::wait`: the future is in the VM.
    Await,
    /// Made by `Ctx::pause`.
    Pause,
}

/// What a native returns.
pub type NativeResult = Result<Action, Thrown>;
/// A continuation: entered when what the native waits for is there.
pub type Cont = fn(&mut Ctx<'_>) -> NativeResult;

/// How what a native waited for has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// With results.
    Ok,
    /// With an error (the one result is the error value). Only continuations of protected calls and resumes see it.
    Error,
}

/// The view a native function has of the VM while it runs.
pub struct Ctx<'a> {
    /// The VM.
    pub(crate) vm: &'a mut Vm,
    /// Stack index of the function.
    pub(crate) func: usize,
    /// Stack index of argument 0.
    pub(crate) base: usize,
    pub(crate) nargs: usize,
    /// In a continuation: stack index of the first result.
    pub(crate) results: usize,
    pub(crate) status: Status,
}

impl<'a> Ctx<'a> {
    // ---- arguments (numbered from 0; messages number them from 1) ----

    /// How many arguments there are.
    #[inline(always)]
    pub fn nargs(&self) -> usize {
        self.nargs
    }
    /// Argument `i`, nil if there are not so many.
    #[inline(always)]
    pub fn arg(&self, i: usize) -> Val {
        if i < self.nargs {
            self.stack_get(self.base + i)
        } else {
            Val::NIL
        }
    }
    /// Replaces argument `i`, which must exist (see `resize_args`): argument slots are the native's state.
    #[inline(always)]
    pub fn set_arg(&mut self, i: usize, v: Val) {
        debug_assert!(i < self.nargs);
        self.stack_set(self.base + i, v);
    }
    /// Drops what was pushed and sets the number of arguments, with nil for new ones: room for state.
    pub fn resize_args(&mut self, n: usize) -> Result<(), Thrown> {
        let top = self.base + self.nargs;
        self.vm.ensure_stack(self.base + n + 8)?;
        for i in top..self.base + n {
            self.stack_set(i, Val::NIL);
        }
        self.nargs = n;
        self.set_top(self.base + n);
        Ok(())
    }
    /// Puts values behind the arguments, as further ones. They survive the collection that making room may bring.
    pub(crate) fn append_args(&mut self, values: &[Val]) -> Result<(), Thrown> {
        let (n, kept) = (self.nargs, self.vm.scratch.len());
        self.vm.scratch.extend_from_slice(values);
        let room = self.resize_args(n + values.len());
        self.vm.scratch.truncate(kept);
        room?;
        for (i, v) in values.iter().enumerate() {
            self.set_arg(n + i, *v);
        }
        Ok(())
    }
    /// Keeps a native's state in argument slot `slot`, the last one from now on, while it waits.
    pub(crate) fn keep_state<S: 'static>(&mut self, slot: usize, state: S) -> Result<(), Thrown> {
        self.resize_args(slot + 1)?;
        let state = self.vm.new_userdata(Box::new(state))?;
        self.set_arg(slot, Val::userdata(state));
        Ok(())
    }
    /// The state that [`Ctx::keep_state`] has put into the last argument slot.
    pub(crate) fn kept_state<S: 'static>(&self) -> Option<&'a mut S> {
        let state = self.arg(self.nargs.checked_sub(1)?).as_userdata()?;
        self.userdata_mut(state)
    }
    /// Returns the text in a buffer, which is left empty.
    pub(crate) fn ret_text(&mut self, text: &mut Buffer) -> NativeResult {
        let text = std::mem::replace(text, self.buffer());
        let s = text.finish(self)?;
        self.ret(Val::str(s))
    }
    /// Whether argument `i` is absent (not even nil).
    pub fn is_none(&self, i: usize) -> bool {
        i >= self.nargs
    }
    /// Whether argument `i` is absent or nil.
    pub fn is_none_or_nil(&self, i: usize) -> bool {
        self.arg(i).is_nil()
    }
    /// Argument `i`, which may be nil but must be there.
    pub fn check_any(&mut self, i: usize) -> Result<Val, Thrown> {
        if i >= self.nargs {
            Err(self.arg_error(i, "value expected"))
        } else {
            Ok(self.arg(i))
        }
    }
    /// Argument `i` as an integer (floats with an integer value and numeric strings are converted).
    #[inline]
    pub fn check_int(&mut self, i: usize) -> Result<i64, Thrown> {
        let v = self.arg(i);
        if v.tag == tag::INT {
            return Ok(v.raw_int());
        }
        self.check_int_slow(i, v)
    }
    #[cold]
    fn check_int_slow(&mut self, i: usize, v: Val) -> Result<i64, Thrown> {
        self.charge_numeral(v);
        if self.vm.floats {
            // Without integers, fractions are cut off.
            return match self.vm.number_of(v) {
                Some(n) => Ok(crate::number::float_to_c_int(n.to_f64())),
                None => Err(self.type_error(i, "number")),
            };
        }
        match to_integer(v) {
            Some(n) => Ok(n),
            None if to_number(v).is_some() => {
                Err(self.arg_error(i, "number has no integer representation"))
            }
            None => Err(self.type_error(i, "number")),
        }
    }
    /// Argument `i` as a count, a position or a level: without integers (5.1, 5.2) a C `int`, so its low 32 bits.
    pub fn check_count(&mut self, i: usize) -> Result<i64, Thrown> {
        let n = self.check_int(i)?;
        Ok(match self.vm.floats {
            true => i64::from(n as i32),
            false => n,
        })
    }
    /// As [`check_count`](Self::check_count), or `default` when absent or nil.
    pub fn opt_count(&mut self, i: usize, default: i64) -> Result<i64, Thrown> {
        if self.is_none_or_nil(i) {
            Ok(default)
        } else {
            self.check_count(i)
        }
    }
    /// Argument `i` as an integer, or `default` when absent or nil.
    pub fn opt_int(&mut self, i: usize, default: i64) -> Result<i64, Thrown> {
        if self.is_none_or_nil(i) {
            Ok(default)
        } else {
            self.check_int(i)
        }
    }
    /// Argument `i` as a float (integers and numeric strings are converted).
    #[inline]
    pub fn check_num(&mut self, i: usize) -> Result<f64, Thrown> {
        match self.arg(i).as_number() {
            Some(f) => Ok(f),
            None => self.check_number(i).map(Number::to_f64),
        }
    }
    /// Argument `i` as a number that keeps its subtype (numeric strings are converted).
    pub fn check_number(&mut self, i: usize) -> Result<Number, Thrown> {
        self.charge_numeral(self.arg(i));
        match self.vm.number_of(self.arg(i)) {
            Some(n) => Ok(n),
            None => Err(self.type_error(i, "number")),
        }
    }
    /// Argument `i` as a float, or `default` when absent or nil.
    pub fn opt_num(&mut self, i: usize, default: f64) -> Result<f64, Thrown> {
        if self.is_none_or_nil(i) {
            Ok(default)
        } else {
            self.check_num(i)
        }
    }
    /// Argument `i` as a string; a number is converted in place.
    #[inline]
    pub fn check_str(&mut self, i: usize) -> Result<Gc<Str>, Thrown> {
        match self.arg(i).as_str() {
            Some(s) => Ok(s),
            None => self.check_str_slow(i),
        }
    }
    #[cold]
    fn check_str_slow(&mut self, i: usize) -> Result<Gc<Str>, Thrown> {
        if !self.arg(i).is_number() {
            return Err(self.type_error(i, "string"));
        }
        let s = self.vm.number_to_str(self.arg(i))?;
        self.set_arg(i, Val::str(s));
        Ok(s)
    }
    /// Argument `i` as a string, or `None` when absent or nil.
    pub fn opt_str(&mut self, i: usize) -> Result<Option<Gc<Str>>, Thrown> {
        if self.is_none_or_nil(i) {
            Ok(None)
        } else {
            self.check_str(i).map(Some)
        }
    }
    /// Argument `i`, which must be a table.
    #[inline]
    pub fn check_table(&mut self, i: usize) -> Result<Gc<Table>, Thrown> {
        match self.arg(i).as_table() {
            Some(t) => Ok(t),
            None => Err(self.type_error(i, "table")),
        }
    }
    /// Argument `i`, which must be a function.
    pub fn check_function(&mut self, i: usize) -> Result<Val, Thrown> {
        if self.arg(i).is_function() {
            Ok(self.arg(i))
        } else {
            Err(self.type_error(i, "function"))
        }
    }
    /// Argument `i` as one of `options` (by index); `default` when absent or nil.
    pub fn check_option(
        &mut self,
        i: usize,
        default: Option<usize>,
        options: &[&str],
    ) -> Result<usize, Thrown> {
        if let Some(default) = default
            && self.is_none_or_nil(i)
        {
            return Ok(default);
        }
        let s = self.check_str(i)?;
        match options.iter().position(|o| o.as_bytes() == s.as_bytes()) {
            Some(n) => Ok(n),
            None => Err(self.invalid_option(i, s.as_bytes())),
        }
    }
    /// "bad argument #i to 'name' (invalid option 'option')".
    #[cold]
    pub(crate) fn invalid_option(&mut self, i: usize, option: &[u8]) -> Thrown {
        // As a C string, and its bytes as they are; a long one is not looked through.
        let shown = as_c_string(&option[..option.len().min(MAX_SHOWN)]);
        let message = [b"invalid option '", shown, b"'"].concat();
        self.vm.arg_error(i, &message)
    }

    // ---- the stack above the arguments ----

    #[inline(always)]
    fn stack_get(&self, i: usize) -> Val {
        self.vm.thread().get(i)
    }
    #[inline(always)]
    fn stack_set(&mut self, i: usize, v: Val) {
        self.vm.thread_mut().set(i, v);
    }
    /// Stack index of the first free slot.
    #[inline(always)]
    pub fn top(&self) -> usize {
        self.vm.thread().top as usize
    }
    /// Sets the top; slots it uncovers hold what was there.
    #[inline(always)]
    pub fn set_top(&mut self, top: usize) {
        self.vm.thread_mut().top = top as u32;
    }
    /// The value at a stack index (`top() - 1` is the last pushed).
    #[inline(always)]
    pub fn at(&self, index: usize) -> Val {
        debug_assert!(index < self.top());
        self.stack_get(index)
    }
    /// Replaces the value at a stack index below the top.
    #[inline(always)]
    pub fn set_at(&mut self, index: usize, v: Val) {
        debug_assert!(index < self.top());
        self.stack_set(index, v);
    }
    /// Pushes a value. A native may push 16 values without asking; more need `reserve`.
    #[inline(always)]
    pub fn push(&mut self, v: Val) {
        let top = self.top();
        self.stack_set(top, v);
        self.vm.thread_mut().top = top as u32 + 1;
    }
    /// Takes the last pushed value.
    pub fn pop(&mut self) -> Val {
        let top = self.top() - 1;
        self.vm.thread_mut().top = top as u32;
        self.stack_get(top)
    }
    /// Makes room for `n` more pushes; the error is "stack overflow".
    pub fn reserve(&mut self, n: usize) -> Result<(), Thrown> {
        let top = self.top();
        self.vm
            .ensure_stack(top.saturating_add(n).saturating_add(8))
    }

    // ---- results ----

    /// Returns no value.
    pub fn ret0(&mut self) -> NativeResult {
        Ok(Action::Return(0))
    }
    /// Returns one value.
    #[inline(always)]
    pub fn ret(&mut self, v: Val) -> NativeResult {
        self.push(v);
        Ok(Action::Return(1))
    }
    /// Returns two values.
    pub fn ret2(&mut self, a: Val, b: Val) -> NativeResult {
        self.push(a);
        self.push(b);
        Ok(Action::Return(2))
    }
    /// Returns a new string.
    pub fn ret_str(&mut self, bytes: &[u8]) -> NativeResult {
        let s = self.vm.new_str(bytes)?;
        self.ret(Val::str(s))
    }
    /// Returns nil and a message (`nil, "reason"`), the convention for failures that are not errors.
    pub fn ret_fail(&mut self, message: &str) -> NativeResult {
        self.push(Val::NIL);
        let s = self.vm.new_str(message.as_bytes())?;
        self.push(Val::str(s));
        Ok(Action::Return(2))
    }
    /// Returns all values from stack index `from` to the top.
    pub fn ret_from(&mut self, from: usize) -> NativeResult {
        Ok(Action::Return((self.top() - from) as u32))
    }

    // ---- making values ----

    /// A string with these bytes. Push it (or store it) before the next allocation.
    #[inline]
    pub fn new_str(&mut self, bytes: &[u8]) -> Result<Gc<Str>, Thrown> {
        self.vm.new_str(bytes)
    }
    /// Pushes a new string.
    pub fn push_str(&mut self, bytes: &[u8]) -> Result<(), Thrown> {
        let s = self.vm.new_str(bytes)?;
        self.push(Val::str(s));
        Ok(())
    }
    /// A table with room for so many array and hash entries. Push it before the next allocation.
    pub fn new_table(&mut self, array: usize, hash: usize) -> Result<Gc<Table>, Thrown> {
        self.vm.new_table_sized(array, hash)
    }
    /// A buffer for bytes whose growth is charged to the VM's memory limit.
    pub fn buffer(&mut self) -> Buffer {
        Buffer::new(&raw mut self.vm.heap)
    }

    // ---- tables, without metamethods ----

    /// `t[key]` without metamethods.
    pub fn raw_get(&self, t: Gc<Table>, key: Val) -> Val {
        t.get(self.vm.heap.hash_key, key)
    }
    /// `t[key] = v` without metamethods. All three must be reachable.
    pub fn raw_set(&mut self, t: Gc<Table>, key: Val, v: Val) -> Result<(), Thrown> {
        self.vm.table_set(t, key, v)
    }
    /// `t[i] = v` without metamethods. Table and value must be reachable.
    #[inline]
    pub fn raw_set_int(&mut self, t: Gc<Table>, i: i64, v: Val) -> Result<(), Thrown> {
        self.vm.table_set_int(t, i, v)
    }
    /// `t[name] = v` without metamethods. Table and value must be reachable.
    pub fn set_field(&mut self, t: Gc<Table>, name: &str, v: Val) -> Result<(), Thrown> {
        self.vm.scratch.push(v);
        let done = self.vm.set_field(t, name, v);
        self.vm.scratch.pop();
        done
    }
    /// The metatable of any value.
    pub fn metatable(&self, v: Val) -> Option<Gc<Table>> {
        self.vm.metatable_of(v)
    }
    /// The metamethod of a value, nil if it has none; `event` is a full name such as `__index`.
    pub fn metamethod(&mut self, v: Val, event: &str) -> Result<Val, Thrown> {
        let Some(meta) = self.vm.metatable_of(v) else {
            return Ok(Val::NIL);
        };
        let name = self.vm.new_str(event.as_bytes())?;
        Ok(meta.get(self.vm.heap.hash_key, Val::str(name)))
    }
    /// Whether a table has no `__index`, `__newindex` and `__len`: raw access is right for it.
    pub fn is_plain_table(&self, t: Gc<Table>) -> bool {
        t.meta.is_null() && t.is_ordinary()
    }

    // ---- conversions ----

    /// The string a value is or (for a number) converts to.
    pub fn to_str(&mut self, v: Val) -> Result<Option<Gc<Str>>, Thrown> {
        match v.tag {
            tag::STR => Ok(v.as_str()),
            tag::INT | tag::FLOAT => self.vm.number_to_str(v).map(Some),
            _ => Ok(None),
        }
    }

    // ---- fuel ----

    /// Charges fuel: about one unit for each simple step, table slot, or 16 bytes of work.
    #[inline(always)]
    pub fn charge(&mut self, fuel: usize) {
        if cfg!(not(feature = "unmetered")) {
            self.vm.heap.fuel = self.vm.heap.fuel.saturating_sub(fuel.min(1 << 60) as i64);
        }
    }
    /// Charges for finding out what number a value is, if it is a string.
    pub(crate) fn charge_numeral(&mut self, v: Val) {
        if let Some(s) = v.as_str() {
            self.charge(s.len().min(MAX_NUMERAL) / 4);
        }
    }
    /// Charges for finding a key, if it is a string whose bytes have to be hashed or compared for that.
    pub(crate) fn charge_key(&mut self, key: Val) {
        self.vm.charge_key(key);
    }
    /// Whether the slice is used up (or collection work is due), so that a long loop should `pause`.
    #[inline(always)]
    pub fn should_pause(&self) -> bool {
        self.vm.heap.fuel < 0
    }
    /// Steps that may be done before the next look at `should_pause`.
    pub fn steps_left(&self) -> u64 {
        self.vm.heap.fuel.max(0) as u64 + 1000
    }
    /// Stops here for now: `cont` is entered when the coroutine gets its next slice. State is in the arguments.
    pub fn pause(&mut self, cont: Cont) -> NativeResult {
        self.vm.next_cont = cont;
        Ok(Action::Pause)
    }

    // ---- calls ----

    /// Calls the function below the last `nargs` pushed values; `cont` is entered with all its results.
    pub fn call(&mut self, nargs: usize, cont: Cont) -> NativeResult {
        self.vm.next_cont = cont;
        self.vm.next_flags = 0;
        Ok(Action::Call {
            nargs: nargs as u32,
        })
    }
    /// As `call`, and an error in it enters `cont` too, with `Status::Error` and the error value as the one result.
    /// With `handler`, argument 0 of this native is a message handler, run where the error is raised.
    pub fn call_protected(&mut self, nargs: usize, handler: bool, cont: Cont) -> NativeResult {
        use crate::thread::frame_flags::{CATCH, HANDLER};
        self.vm.next_cont = cont;
        self.vm.next_flags = CATCH | if handler { HANDLER } else { 0 };
        Ok(Action::Call {
            nargs: nargs as u32,
        })
    }
    /// Calls the function below the last `nargs` pushed values; its results are this native's.
    pub fn tail_call(&mut self, nargs: usize) -> NativeResult {
        self.vm.next_cont = return_results;
        self.vm.next_flags = 0;
        Ok(Action::TailCall {
            nargs: nargs as u32,
        })
    }
    /// Resumes the coroutine below the last `nargs` pushed values with these; `cont` is entered with what it yields or
    /// returns, or with `Status::Error` and its error. It must be `Fresh` or `Suspended`.
    /// It may be passed over: it must return the results, with `true` in front if `status` is set, or handle the error.
    pub(crate) fn resume(&mut self, nargs: usize, status: bool, cont: Cont) -> NativeResult {
        use crate::thread::frame_flags::{PASSES, PASSES_STATUS};
        self.vm.next_cont = cont;
        self.vm.next_flags = if status { PASSES_STATUS } else { PASSES };
        Ok(Action::Resume {
            nargs: nargs as u32,
        })
    }
    /// Yields the last `n` values; `cont` is entered with what the coroutine is resumed with.
    pub fn yield_values(&mut self, n: usize, cont: Cont) -> NativeResult {
        self.vm.next_cont = cont;
        self.vm.next_flags = 0;
        Ok(Action::Yield(n as u32))
    }
    /// Closes the last pushed value, a coroutine that does not run; `cont` is entered with nothing, or with the error
    /// that the coroutine had or its to-be-closed variables raised.
    pub(crate) fn close_thread(&mut self, cont: Cont) -> NativeResult {
        self.vm.next_cont = cont;
        self.vm.next_flags = 0;
        Ok(Action::CloseThread)
    }
    /// Yields the last `n` values; what the coroutine is resumed with is this native's results.
    pub(crate) fn yield_and_return(&mut self, n: usize) -> NativeResult {
        self.vm.next_cont = return_results;
        self.vm.next_flags = crate::thread::frame_flags::PASSES;
        Ok(Action::Yield(n as u32))
    }
    /// In a continuation: stack index of the first result.
    pub fn results(&self) -> usize {
        self.results
    }
    /// In a continuation: how many results there are.
    pub fn nresults(&self) -> usize {
        self.top() - self.results
    }
    /// In a continuation: result `i`, nil if there are not so many.
    pub fn result(&self, i: usize) -> Val {
        if self.results + i < self.top() {
            self.stack_get(self.results + i)
        } else {
            Val::NIL
        }
    }
    /// In a continuation: how the call ended.
    pub fn status(&self) -> Status {
        self.status
    }

    // ---- errors ----

    /// An error with a message; the position of the calling Lua code is put in front, as `error` does.
    #[cold]
    pub fn error(&mut self, message: &str) -> Thrown {
        self.error_bytes(message.as_bytes())
    }
    /// As `error`.
    #[cold]
    pub fn error_bytes(&mut self, message: &[u8]) -> Thrown {
        let place = self.vm.where_is(1);
        self.vm.throw_joined(&[&place, message])
    }
    /// Throws any value as it is.
    #[cold]
    pub fn throw(&mut self, v: Val) -> Thrown {
        self.vm.thrown = v;
        Thrown::Error
    }
    /// "bad argument #i to 'name' (message)".
    #[cold]
    pub fn arg_error(&mut self, i: usize, message: &str) -> Thrown {
        self.vm.arg_error(i, message.as_bytes())
    }
    /// "bad argument #i to 'name' (expected expected, got type)".
    #[cold]
    pub fn type_error(&mut self, i: usize, expected: &str) -> Thrown {
        let got = if self.is_none(i) {
            "no value".to_owned()
        } else {
            self.vm.type_name_for_message(self.arg(i))
        };
        self.arg_error(i, &format!("{expected} expected, got {got}"))
    }

    // ---- upvalues of a native closure ----

    /// The closure's upvalue `n`.
    pub fn upvalue(&self, n: usize) -> Val {
        match self.stack_get(self.func).as_native_closure() {
            Some(c) => c.upvalue(n),
            None => Val::NIL,
        }
    }
    /// Replaces the closure's upvalue `n`, which must exist.
    pub fn set_upvalue(&mut self, n: usize, v: Val) {
        if let Some(c) = self.stack_get(self.func).as_native_closure()
            && n < c.count()
        {
            // SAFETY: the index was checked.
            unsafe { *c.upvalue_ptr(n) = v };
            self.vm.barrier(c.header(), v);
        }
    }
    /// The host object inside a userdata, if it is a `T`.
    pub fn userdata_mut<T: 'static>(&self, u: Gc<UserDataObject>) -> Option<&'a mut T> {
        let data = u.as_ptr();
        // SAFETY: the userdata is an argument or upvalue, so alive; natives use one such reference at a time, and
        // none across a call that could reach the same object.
        unsafe { (*data).data.as_mut()?.downcast_mut::<T>() }
    }
}

/// The continuation of a tail call: the results are the native's.
pub(crate) fn return_results(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.ret_from(ctx.results)
}

/// Bytes of an invalid option that its message shows.
const MAX_SHOWN: usize = 1024;

/// Longer strings are no numerals: reading one is a single step, and must not take long.
pub const MAX_NUMERAL: usize = 1 << 16;

/// The number that a value is or, being a string (of at most [`MAX_NUMERAL`] bytes), converts to.
pub fn to_number(v: Val) -> Option<Number> {
    match v.tag {
        tag::INT => Some(Number::Int(v.raw_int())),
        tag::FLOAT => Some(Number::Float(v.raw_float())),
        tag::STR => match v.raw_gc::<Str>().as_bytes() {
            text if text.len() <= MAX_NUMERAL => number::parse(text),
            _ => None,
        },
        _ => None,
    }
}

/// The integer that a value is or converts to without loss.
pub fn to_integer(v: Val) -> Option<i64> {
    match to_number(v)? {
        Number::Int(i) => Some(i),
        Number::Float(f) => number::float_to_int(f),
    }
}

/// The name of a basic type, for messages.
pub fn type_name(t: Type) -> &'static str {
    t.name()
}
