//! The names of metamethods.

use std::fmt;

macro_rules! metamethods {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// A metamethod that a host type can define.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MetaMethod { $($(#[$doc])* $variant,)* }

        impl MetaMethod {
            /// The name, with its underscores.
            pub const fn name(self) -> &'static str {
                match self { $(MetaMethod::$variant => $name,)* }
            }
        }
    };
}

metamethods! {
    /// `a + b`
    Add "__add";
    /// `a - b`
    Sub "__sub";
    /// `a * b`
    Mul "__mul";
    /// `a / b`
    Div "__div";
    /// `a % b`
    Mod "__mod";
    /// `a ^ b`
    Pow "__pow";
    /// `-a`
    Unm "__unm";
    /// `a // b`
    IDiv "__idiv";
    /// `a & b`
    BAnd "__band";
    /// `a | b`
    BOr "__bor";
    /// `a ~ b`
    BXor "__bxor";
    /// `~a`
    BNot "__bnot";
    /// `a << b`
    Shl "__shl";
    /// `a >> b`
    Shr "__shr";
    /// `a .. b`
    Concat "__concat";
    /// `#a`
    Len "__len";
    /// `a == b`
    Eq "__eq";
    /// `a < b`
    Lt "__lt";
    /// `a <= b`
    Le "__le";
    /// `a[key]` for keys that are no field or method
    Index "__index";
    /// `a[key] = value` for keys that are no field
    NewIndex "__newindex";
    /// `a(...)`
    Call "__call";
    /// `tostring(a)`
    ToString "__tostring";
    /// `pairs(a)`
    Pairs "__pairs";
    /// The end of a variable declared `<close>`
    Close "__close";
    /// The type's name in messages
    Type "__name";
}

impl fmt::Display for MetaMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl From<MetaMethod> for String {
    fn from(m: MetaMethod) -> String {
        m.name().to_owned()
    }
}
impl PartialEq<&str> for MetaMethod {
    fn eq(&self, other: &&str) -> bool {
        self.name() == *other
    }
}
impl AsRef<str> for MetaMethod {
    fn as_ref(&self) -> &str {
        self.name()
    }
}
