//! The syntax tree, in flat arenas.
//!
//! **Invariants**
//! - nodes name each other by index, and a node's parts come before it, so walking is bounded by the arena and
//!   dropping never recurses;
//! - names are resolved: a node says which variable it means, constants that the language folds are already folded;
//! - a node keeps the line numbers that the code generator needs to give each instruction the line the reference
//!   gives it: usually that of the last token consumed when the instruction is made.

use super::strings::StrId;
use std::marker::PhantomData;

macro_rules! ids {
    ($($(#[doc = $doc:expr])* $name:ident;)*) => { $(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) struct $name(pub u32);
        impl ListItem for $name {
            const WORDS: usize = 1;
            fn to_words(self, words: &mut Vec<u32>) { words.push(self.0); }
            fn from_words(words: &[u32]) -> Self { $name(words[0]) }
        }
    )* };
}

/// Something that is kept in the arena of lists.
pub(crate) trait ListItem: Copy {
    const WORDS: usize;
    fn to_words(self, words: &mut Vec<u32>);
    fn from_words(words: &[u32]) -> Self;
}

ids! {
    /// An expression.
    ExprId;
    /// A statement.
    StmtId;
    /// A block.
    BlockId;
    /// A local variable, or `_ENV` of the main function.
    VarId;
    /// A function.
    FuncId;
    /// The details of a call.
    CallId;
    /// A table constructor.
    TableId;
    /// The details of a `for` statement.
    ForId;
    /// The target of `goto` statements.
    LabelId;
    /// A `goto` statement.
    GotoId;
    /// A declaration of globals.
    GlobalId;
}

/// The variable that is not a local of anything: `_ENV` of the main function.
pub(crate) const ENV_VAR: VarId = VarId(0);
/// The main function.
pub(crate) const MAIN: FuncId = FuncId(0);
/// The function of [`ENV_VAR`]: outside of the main function.
pub(crate) const OUTSIDE: FuncId = FuncId(u32::MAX);

/// A run of the list arena.
#[derive(Debug)]
pub(crate) struct List<T> {
    start: u32,
    len: u32,
    item: PhantomData<T>,
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for List<T> {}

impl<T> List<T> {
    pub const EMPTY: List<T> = List {
        start: 0,
        len: 0,
        item: PhantomData,
    };
    pub fn len(self) -> usize {
        self.len as usize
    }
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// A unary operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UnOp {
    Minus,
    BitNot,
    Not,
    Length,
}

/// A binary operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[rustfmt::skip]
pub(crate) enum BinOp {
    Add, Sub, Mul, Mod, Pow, Div, IDiv,
    BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight,
    Concat,
    Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual,
    And, Or,
}

/// What an expression is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expr {
    Nil,
    True,
    False,
    Int(i64),
    Float(f64),
    Str(StrId),
    /// `...`; the line is that of the token before it.
    Vararg {
        line_before: u32,
    },
    Function(FuncId),
    /// A local variable of the same function.
    Local(VarId),
    /// Upvalue number `.0` of the function.
    Upvalue(u8),
    /// `environment.name`, written as the name alone.
    Global {
        environment: ExprId,
        name: StrId,
        /// Declared as `<const>` (5.5).
        read_only: bool,
    },
    Field {
        object: ExprId,
        name: StrId,
    },
    Index {
        object: ExprId,
        key: ExprId,
    },
    Call {
        function: ExprId,
        call: CallId,
    },
    Unary {
        op: UnOp,
        operand: ExprId,
    },
    Binary {
        op: BinOp,
        left: ExprId,
        right: ExprId,
    },
    /// An expression in parentheses that is not a constant: exactly one value.
    Paren(ExprId),
    Table(TableId),
}

impl Expr {
    /// Whether the expression is a constant that counts as true, or as false; `None` if it is not constant.
    pub fn constant_truth(self) -> Option<bool> {
        match self {
            Expr::Nil | Expr::False => Some(false),
            Expr::True | Expr::Int(_) | Expr::Float(_) | Expr::Str(_) => Some(true),
            _ => None,
        }
    }
}

/// An expression and its line: of the operator for operators, otherwise of its last token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExprNode {
    pub expr: Expr,
    pub line: u32,
}

/// The details of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The method name and its line, of `object:name(...)`.
    pub method: Option<(StrId, u32)>,
    pub arguments: List<ExprId>,
    /// Line of the opening token of the arguments: the line of the call.
    pub line: u32,
}

/// One item of a table constructor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableItem {
    /// `None` for a positional item.
    pub key: Option<ExprId>,
    pub value: ExprId,
    /// Line of the `=` of a keyed item.
    pub line: u32,
}

impl ListItem for TableItem {
    const WORDS: usize = 3;
    fn to_words(self, words: &mut Vec<u32>) {
        words.extend([
            self.key.map_or(u32::MAX, |key| key.0),
            self.value.0,
            self.line,
        ]);
    }
    fn from_words(words: &[u32]) -> Self {
        TableItem {
            key: (words[0] != u32::MAX).then_some(ExprId(words[0])),
            value: ExprId(words[1]),
            line: words[2],
        }
    }
}

/// A table constructor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub items: List<TableItem>,
    pub keyed: u32,
    /// Line of the token before the `{`.
    pub line_before: u32,
}

/// A variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Var {
    pub name: StrId,
    /// The function whose register it is.
    pub function: FuncId,
    pub kind: VarKind,
    /// Whether anything but its declaration assigns it.
    pub assigned: bool,
    /// Whether an inner function uses it.
    pub captured: bool,
}

/// How a variable was declared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum VarKind {
    Regular,
    /// `<const>`, with a value known only at run time.
    Const,
    /// `<const>`, with this constant as its value: it has no register.
    CompileTime(Expr),
    /// `<close>`, or the hidden closing value of a generic `for`.
    Close,
    /// The named vararg parameter of a function (5.5), which cannot be assigned.
    Vararg,
    /// A declaration of a global name, or of all names (5.5): it has no register.
    Global {
        read_only: bool,
    },
}

/// Where a function finds one of its upvalues when it is created.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UpvalueSource {
    /// In the register of the variable.
    Local,
    /// In that upvalue of the enclosing function.
    Upvalue(u8),
}

/// An upvalue of a function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upvalue {
    pub var: VarId,
    pub source: UpvalueSource,
}

/// A function.
#[derive(Debug)]
pub(crate) struct Function {
    pub parent: FuncId,
    pub params: List<VarId>,
    pub is_vararg: bool,
    pub upvalues: Vec<Upvalue>,
    pub body: BlockId,
    pub line: u32,
    pub end_line: u32,
    /// Line of the last token: that of the final `RETURN`.
    pub return_line: u32,
    /// The variable that holds the extra arguments as a table.
    pub vararg_table: Option<VarId>,
    /// Whether `...` stands in it.
    pub uses_varargs: bool,
    /// Uses of a named vararg parameter other than reading a field of it: then it has to be a table.
    pub vararg_escapes: u32,
    /// How many functions it contains directly.
    pub children: u32,
}

/// A block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub statements: List<StmtId>,
    /// Line of the last token in it, or before it if it is empty.
    pub end_line: u32,
}

/// One `if` or `elseif` and its block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arm {
    pub condition: ExprId,
    /// Line of the `then`.
    pub line: u32,
    pub body: BlockId,
}

impl ListItem for Arm {
    const WORDS: usize = 3;
    fn to_words(self, words: &mut Vec<u32>) {
        words.extend([self.condition.0, self.line, self.body.0]);
    }
    fn from_words(words: &[u32]) -> Self {
        Arm {
            condition: ExprId(words[0]),
            line: words[1],
            body: BlockId(words[2]),
        }
    }
}

/// A `for` statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For {
    /// The hidden variables first: three of a numeric loop, four of a generic one (also where the fourth, the closing
    /// value, is not part of the language).
    pub vars: List<VarId>,
    /// Start, limit and perhaps step; or the values of the generic loop.
    pub values: List<ExprId>,
    pub body: BlockId,
    /// Line that the loop instructions get.
    pub line: u32,
    /// Line of the `do`.
    pub do_line: u32,
}

/// A declaration of globals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Globals {
    pub vars: List<VarId>,
    /// The globals as targets of an assignment; empty if there are no values.
    pub targets: List<ExprId>,
    pub values: List<ExprId>,
    /// Line on which the values begin: that of the checks that the globals are new.
    pub line: u32,
}

/// What a statement is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stmt {
    Local {
        vars: List<VarId>,
        values: List<ExprId>,
    },
    Assign {
        targets: List<ExprId>,
        values: List<ExprId>,
    },
    Call(ExprId),
    Do(BlockId),
    While {
        condition: ExprId,
        body: BlockId,
    },
    Repeat {
        body: BlockId,
        condition: ExprId,
    },
    If {
        arms: List<Arm>,
        otherwise: Option<BlockId>,
    },
    NumericFor(ForId),
    GenericFor(ForId),
    Function {
        target: ExprId,
        function: ExprId,
    },
    LocalFunction {
        var: VarId,
        function: ExprId,
    },
    /// A declaration of globals, perhaps with their first values.
    Global(GlobalId),
    GlobalFunction {
        var: VarId,
        target: ExprId,
        function: ExprId,
    },
    Return(List<ExprId>),
    Break,
    Goto(GotoId),
    Label(LabelId),
}

/// A statement and the lines of its first and last token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StmtNode {
    pub stmt: Stmt,
    pub line: u32,
    pub end_line: u32,
}

/// The whole program.
#[derive(Default)]
pub(crate) struct Ast {
    pub exprs: Vec<ExprNode>,
    pub stmts: Vec<StmtNode>,
    pub blocks: Vec<Block>,
    pub vars: Vec<Var>,
    pub functions: Vec<Function>,
    pub calls: Vec<Call>,
    pub tables: Vec<Table>,
    pub fors: Vec<For>,
    pub globals: Vec<Globals>,
    /// For each label, how many variables of its function are active where it stands.
    pub labels: Vec<u32>,
    /// For each `goto`, its label.
    pub gotos: Vec<LabelId>,
    lists: Vec<u32>,
    /// Lines of the separators after list elements, where they are not on the line on which the element ends: the
    /// reference finishes an element only when it has read what follows it.
    late_lines: std::collections::HashMap<u32, u32>,
}

impl Ast {
    pub fn expr(&self, id: ExprId) -> ExprNode {
        self.exprs[id.0 as usize]
    }
    pub fn stmt(&self, id: StmtId) -> StmtNode {
        self.stmts[id.0 as usize]
    }
    pub fn block(&self, id: BlockId) -> Block {
        self.blocks[id.0 as usize]
    }
    pub fn var(&self, id: VarId) -> &Var {
        &self.vars[id.0 as usize]
    }
    pub fn var_mut(&mut self, id: VarId) -> &mut Var {
        &mut self.vars[id.0 as usize]
    }
    pub fn function(&self, id: FuncId) -> &Function {
        &self.functions[id.0 as usize]
    }
    pub fn function_mut(&mut self, id: FuncId) -> &mut Function {
        &mut self.functions[id.0 as usize]
    }
    pub fn call(&self, id: CallId) -> Call {
        self.calls[id.0 as usize]
    }
    pub fn table(&self, id: TableId) -> Table {
        self.tables[id.0 as usize]
    }
    pub fn for_loop(&self, id: ForId) -> For {
        self.fors[id.0 as usize]
    }
    pub fn globals(&self, id: GlobalId) -> Globals {
        self.globals[id.0 as usize]
    }

    /// Moves a finished list into the arena.
    pub fn add_list<T: ListItem>(&mut self, items: &[T]) -> List<T> {
        if items.is_empty() {
            return List::EMPTY;
        }
        let start = self.lists.len() as u32;
        for item in items {
            item.to_words(&mut self.lists);
        }
        List {
            start,
            len: items.len() as u32,
            item: PhantomData,
        }
    }

    /// Element `index` of a list.
    pub fn item<T: ListItem>(&self, list: List<T>, index: usize) -> T {
        debug_assert!(index < list.len());
        let at = list.start as usize + index * T::WORDS;
        T::from_words(&self.lists[at..at + T::WORDS])
    }

    /// The elements of a list.
    pub fn items<T: ListItem>(&self, list: List<T>) -> impl Iterator<Item = T> {
        (0..list.len()).map(move |index| self.item(list, index))
    }

    /// Notes that a list element is finished on a later line than its own last one.
    pub fn set_late_line(&mut self, id: ExprId, line: u32) {
        self.late_lines.insert(id.0, line);
    }

    /// The line on which a list element is finished, if it is not its own.
    pub fn late_line(&self, id: ExprId) -> Option<u32> {
        self.late_lines.get(&id.0).copied()
    }
}

/// Nodes are copied around; keep them within three words.
const _: () = assert!(std::mem::size_of::<ExprNode>() <= 24);
