//! Scopes: which variable a name means, which variables are captured, and where a `goto` may go.
//!
//! The parser drives this as it reads, so that errors come in the order of the source.
//!
//! **Invariants**
//! - `active` holds the visible variables of all open functions, outermost first; `bindings` maps a name to the
//!   innermost of them, so a lookup does not depend on how many there are;
//! - a function has at most [`MAX_LOCALS`] variables at a time and [`MAX_UPVALUES`] upvalues, in order of first use.

use super::ast::*;
use super::strings::StrId;
use std::collections::HashMap;

/// Most local variables a function may have at a time.
pub(crate) const MAX_LOCALS: usize = 200;
/// Most upvalues a function may have.
pub(crate) const MAX_UPVALUES: usize = 255;

/// What a name means.
pub(crate) enum Meaning {
    /// A variable of the function being read.
    Local(VarId),
    /// A variable of an enclosing function, through this upvalue.
    Upvalue(VarId, u8),
    /// A compile-time constant.
    Constant(Expr),
    /// No variable: a field of `_ENV`.
    Global { read_only: bool },
    /// No variable, where globals have to be declared and this one is not.
    Undeclared,
}

/// A limit was exceeded in a function that begins on this line (0: the main function).
pub(crate) struct TooMany {
    pub what: &'static str,
    pub limit: usize,
    pub line: u32,
}

/// Why a label or a `goto` cannot be.
pub(crate) enum GotoError {
    /// The label is there already, since this line.
    Repeated { name: StrId, line: u32 },
    /// A `goto` enters the scope of a variable.
    IntoScope {
        label: StrId,
        line: u32,
        variable: StrId,
    },
    /// A `goto` without a label, or a `break` without a loop (`None`).
    Unresolved { label: Option<StrId>, line: u32 },
}

struct Active {
    var: VarId,
    /// Its name, as an index into `bindings`.
    name: u32,
    /// What its name meant before.
    shadowed: Option<u32>,
    /// It is a declaration of a global by name.
    names_global: bool,
}

struct Block {
    /// Active variables of the function when the block began.
    level: usize,
    /// Those of them, and of the declared ones, that have a register.
    declared: usize,
    /// The first pending jump and the first label of the block.
    first_pending: usize,
    first_label: usize,
    is_loop: bool,
}

/// A `goto` whose label has not been seen, or (`label` is `None`) a `break` outside of loops.
struct Pending {
    label: Option<StrId>,
    line: u32,
    id: GotoId,
    /// Active variables that are active at the label, too, wherever it comes.
    level: usize,
}

struct Function {
    id: FuncId,
    /// Index in `active` of its first variable.
    base: usize,
    /// Local variables declared: those active and those that will be when their statement ends.
    declared: usize,
    first_block: usize,
    first_pending: usize,
    visible_labels: HashMap<StrId, Visible>,
}

/// A label that can be seen.
#[derive(Clone, Copy)]
struct Visible {
    label: LabelId,
    line: u32,
    /// Its place in `labels`.
    at: usize,
}

/// The scopes that are open.
#[derive(Default)]
pub(crate) struct Scopes {
    active: Vec<Active>,
    bindings: Vec<Option<u32>>,
    functions: Vec<Function>,
    blocks: Vec<Block>,
    pending: Vec<Pending>,
    /// Labels in open blocks: their names, and the label of the same name that each hides.
    labels: Vec<(StrId, Option<Visible>)>,
    /// Up to 5.3, a label may have the name of one of an enclosing block, and a `goto` means the nearest one.
    labels_by_block: bool,
    /// How many pending jumps look for a name, so that most labels need not search.
    wanted: HashMap<StrId, u32>,
    /// The name of declarations of all globals.
    every_global: Option<StrId>,
    /// Active declarations of globals by name.
    named_globals: usize,
}

impl Scopes {
    fn function(&self) -> &Function {
        self.functions.last().expect("a function is open")
    }

    /// The function being read.
    pub fn current(&self) -> FuncId {
        self.function().id
    }

    pub fn open_function(&mut self, id: FuncId) {
        self.functions.push(Function {
            id,
            base: self.active.len(),
            declared: 0,
            first_block: self.blocks.len(),
            first_pending: self.pending.len(),
            visible_labels: HashMap::new(),
        });
        self.open_block(false);
    }

    /// Closes the function and its outermost block.
    pub fn close_function(&mut self, ast: &mut Ast) -> Result<(), GotoError> {
        let first = self.function().first_pending;
        if let Some(jump) = self.pending.get(first) {
            return Err(GotoError::Unresolved {
                label: jump.label,
                line: jump.line,
            });
        }
        self.close_block(ast);
        self.functions.pop();
        Ok(())
    }

    /// How many variables of the function are active.
    pub fn level(&self) -> usize {
        self.active.len() - self.function().base
    }

    pub fn open_block(&mut self, is_loop: bool) {
        self.blocks.push(Block {
            level: self.level(),
            declared: self.function().declared,
            first_pending: self.pending.len(),
            first_label: self.labels.len(),
            is_loop,
        });
    }

    pub fn close_block(&mut self, ast: &mut Ast) {
        let block = self.blocks.pop().expect("a block is open");
        let function = self.functions.last_mut().expect("a function is open");
        let keep = function.base + block.level;
        for active in self.active.drain(keep..).rev() {
            self.bindings[active.name as usize] = active.shadowed;
            self.named_globals -= usize::from(active.names_global);
        }
        function.declared = block.declared;
        for (name, hidden) in self.labels.drain(block.first_label..).rev() {
            match hidden {
                Some(outer) => function.visible_labels.insert(name, outer),
                None => function.visible_labels.remove(&name),
            };
        }
        // A jump out of the block leaves the scope of the block's variables.
        for jump in &mut self.pending[block.first_pending..] {
            jump.level = jump.level.min(block.level);
        }
        if self.labels_by_block {
            self.look_in_enclosing_block(ast, block.first_pending);
        }
    }

    /// Jumps that have just left a block may go to a label that the enclosing block has already.
    fn look_in_enclosing_block(&mut self, ast: &mut Ast, first_pending: usize) {
        let mut kept = first_pending;
        for index in first_pending..self.pending.len() {
            let (label, id) = (self.pending[index].label, self.pending[index].id);
            match label.and_then(|name| self.label_of_block(name)) {
                Some(found) => {
                    ast.gotos[id.0 as usize] = found.label;
                    if let Some(name) = label {
                        self.forget_wanted(name);
                    }
                }
                None => {
                    self.pending.swap(kept, index);
                    kept += 1;
                }
            }
        }
        self.pending.truncate(kept);
    }

    /// The visible label of a name, if it is in the innermost block.
    fn label_of_block(&self, name: StrId) -> Option<Visible> {
        let function = self.functions.last()?;
        let first = self.blocks[function.first_block..].last()?.first_label;
        let found = function.visible_labels.get(&name).copied()?;
        (found.at >= first).then_some(found)
    }

    /// The label that a name means here, of those seen so far.
    fn visible_label(&self, name: StrId) -> Option<Visible> {
        match self.labels_by_block {
            true => self.label_of_block(name),
            false => self.function().visible_labels.get(&name).copied(),
        }
    }

    /// Makes labels local to their blocks, as up to 5.3.
    pub fn set_labels_by_block(&mut self, by_block: bool) {
        self.labels_by_block = by_block;
    }

    /// Whether the statement is in a loop of the function.
    pub fn in_loop(&self) -> bool {
        self.blocks[self.function().first_block..]
            .iter()
            .any(|block| block.is_loop)
    }

    /// Makes a variable that [`activate`](Self::activate) brings into scope later.
    pub fn declare(&mut self, ast: &mut Ast, name: StrId, kind: VarKind) -> Result<VarId, TooMany> {
        let function = self.functions.last_mut().expect("a function is open");
        let is_local = !matches!(kind, VarKind::Global { .. });
        if is_local && function.declared >= MAX_LOCALS {
            return Err(TooMany {
                what: "local variables",
                limit: MAX_LOCALS,
                line: ast.function(function.id).line,
            });
        }
        function.declared += usize::from(is_local);
        let id = VarId(ast.vars.len() as u32);
        ast.vars.push(Var {
            name,
            function: function.id,
            kind,
            assigned: false,
            captured: false,
        });
        Ok(id)
    }

    /// A declared variable turned out to need no register, in a version that does not count it then.
    pub fn uncount(&mut self) {
        let function = self.functions.last_mut().expect("a function is open");
        function.declared -= 1;
    }

    /// Brings a declared variable into scope.
    pub fn activate(&mut self, ast: &Ast, var: VarId) {
        let info = ast.var(var);
        let slot = info.name.0;
        let shadowed = self.bind(slot);
        let names_global =
            matches!(info.kind, VarKind::Global { .. }) && Some(info.name) != self.every_global;
        self.named_globals += usize::from(names_global);
        self.active.push(Active {
            var,
            name: slot,
            shadowed,
            names_global,
        });
    }

    /// Tells under which name all globals are declared: one that no program can write.
    pub fn set_every_global(&mut self, name: StrId) {
        self.every_global = Some(name);
    }

    /// Makes `_ENV` of the main function visible.
    pub fn activate_environment(&mut self, name: StrId) {
        let shadowed = self.bind(name.0);
        self.active.push(Active {
            var: ENV_VAR,
            name: name.0,
            shadowed,
            names_global: false,
        });
    }

    fn bind(&mut self, slot: u32) -> Option<u32> {
        let slot = slot as usize;
        if slot >= self.bindings.len() {
            self.bindings.resize(slot + 1, None);
        }
        self.bindings[slot].replace(self.active.len() as u32)
    }

    /// Finds what a name means here, capturing the variable if it belongs to an enclosing function.
    pub fn resolve(&mut self, ast: &mut Ast, name: StrId) -> Result<Meaning, TooMany> {
        let Some(id) = self.bound(name) else {
            return Ok(self.unbound(ast));
        };
        let var = ast.var(id);
        match var.kind {
            VarKind::CompileTime(value) => return Ok(Meaning::Constant(value)),
            VarKind::Global { read_only } => return Ok(Meaning::Global { read_only }),
            _ => {}
        }
        let current = self.current();
        if var.function == current {
            return Ok(Meaning::Local(id));
        }
        ast.var_mut(id).captured = true;
        let index = upvalue_index(ast, current, id)?;
        Ok(Meaning::Upvalue(id, index))
    }

    /// The visible variable of a name.
    fn bound(&self, name: StrId) -> Option<VarId> {
        let index = self.bindings.get(name.0 as usize).copied().flatten()?;
        Some(self.active[index as usize].var)
    }

    /// What a name that no declaration mentions means: a global, unless some globals are declared and not all.
    fn unbound(&self, ast: &Ast) -> Meaning {
        let every = self.every_global.and_then(|name| self.bound(name));
        match every.map(|id| ast.var(id).kind) {
            Some(VarKind::Global { read_only }) => Meaning::Global { read_only },
            _ if self.named_globals > 0 => Meaning::Undeclared,
            _ => Meaning::Global { read_only: false },
        }
    }

    /// Adds a `goto`. Backward ones find their label at once, others wait for it.
    pub fn add_goto(&mut self, ast: &mut Ast, name: StrId, line: u32) -> GotoId {
        let id = GotoId(ast.gotos.len() as u32);
        match self.visible_label(name) {
            Some(found) => ast.gotos.push(found.label),
            None => {
                ast.gotos.push(LabelId(u32::MAX));
                *self.wanted.entry(name).or_insert(0) += 1;
                self.add_pending(Some(name), line, id);
            }
        }
        id
    }

    /// Remembers a `break` outside of loops, which is an error once the function ends without an earlier one.
    pub fn add_stray_break(&mut self, line: u32) {
        self.add_pending(None, line, GotoId(u32::MAX));
    }

    fn add_pending(&mut self, label: Option<StrId>, line: u32, id: GotoId) {
        let level = self.level();
        self.pending.push(Pending {
            label,
            line,
            id,
            level,
        });
    }

    /// Checks that no visible label of the function has that name.
    pub fn check_label(&self, name: StrId) -> Result<(), GotoError> {
        match self.visible_label(name) {
            Some(found) => Err(GotoError::Repeated {
                name,
                line: found.line,
            }),
            None => Ok(()),
        }
    }

    /// Adds a label and gives it to the jumps that wait for it. A label that ends its block counts as outside of the
    /// scope of the block's variables. Also returns how many jumps were looked at, which is to be charged.
    pub fn add_label(
        &mut self,
        ast: &mut Ast,
        name: StrId,
        line: u32,
        ends_block: bool,
    ) -> Result<(LabelId, usize), GotoError> {
        let block = self.blocks.last().expect("a block is open");
        let first = block.first_pending;
        let level = if ends_block {
            block.level
        } else {
            self.level()
        };
        let id = LabelId(ast.labels.len() as u32);
        ast.labels.push(level as u32);
        let function = self.functions.last_mut().expect("a function is open");
        let visible = Visible {
            label: id,
            line,
            at: self.labels.len(),
        };
        let hidden = function.visible_labels.insert(name, visible);
        self.labels.push((name, hidden));
        if !self.wanted.contains_key(&name) {
            return Ok((id, 0));
        }
        let looked_at = self.pending.len() - first;
        let base = function.base;
        let mut kept = first;
        for index in first..self.pending.len() {
            let jump = &self.pending[index];
            if jump.label != Some(name) {
                self.pending.swap(kept, index);
                kept += 1;
                continue;
            }
            if jump.level < level {
                let entered = self.active[base + jump.level].var;
                return Err(GotoError::IntoScope {
                    label: name,
                    line: jump.line,
                    variable: ast.var(entered).name,
                });
            }
            let waiting = jump.id;
            ast.gotos[waiting.0 as usize] = id;
            self.forget_wanted(name);
        }
        self.pending.truncate(kept);
        Ok((id, looked_at))
    }

    fn forget_wanted(&mut self, name: StrId) {
        if let Some(count) = self.wanted.get_mut(&name) {
            *count -= 1;
            if *count == 0 {
                self.wanted.remove(&name);
            }
        }
    }
}

/// The upvalue of `function` for a variable of an enclosing one; adds it, and to the functions between, if need be.
fn upvalue_index(ast: &mut Ast, function: FuncId, var: VarId) -> Result<u8, TooMany> {
    let known = ast.function(function).upvalues.iter();
    if let Some(index) = known.map(|u| u.var).position(|v| v == var) {
        return Ok(index as u8);
    }
    let parent = ast.function(function).parent;
    // Functions nest less than MAX_DEPTH deep, and so does this recursion.
    let source = if parent == ast.var(var).function {
        UpvalueSource::Local
    } else {
        UpvalueSource::Upvalue(upvalue_index(ast, parent, var)?)
    };
    let function = ast.function_mut(function);
    let index = function.upvalues.len();
    if index >= MAX_UPVALUES {
        return Err(TooMany {
            what: "upvalues",
            limit: MAX_UPVALUES,
            line: function.line,
        });
    }
    function.upvalues.push(Upvalue { var, source });
    Ok(index as u8)
}
