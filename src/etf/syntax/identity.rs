use super::SyntaxError;
use super::scanner::Scanner;
use crate::etf::Atom;
use crate::etf::NodePid;
use crate::etf::NodePort;
use crate::etf::NodeReference;
use crate::etf::Pid;
use crate::etf::Port;
use crate::etf::Reference;
use crate::etf::Term;
use crate::etf::print::LOCAL;

impl Scanner<'_> {
    /// `<Node.Id.Serial>`.
    pub(super) fn pid(&mut self) -> Result<Term, SyntaxError> {
        self.next();
        let (node, numbers) = self.identity()?;
        let numbers: Option<Vec<u32>> = numbers.iter().map(|number| u32::try_from(*number).ok()).collect();
        match numbers.as_deref() {
            Some(&[id, serial]) => Ok(Term::Pid(NodePid {
                node,
                pid: Pid {
                    id,
                    serial,
                    creation: 0,
                },
            })),
            _ => Err(self.fail("two numbers should stand in the pid before this")),
        }
    }

    /// What begins with `#` and is no map.
    pub(super) fn hash(&mut self) -> Result<Term, SyntaxError> {
        if self.eat("#Port<") {
            let (node, numbers) = self.identity()?;
            return match *numbers.as_slice() {
                [id] => Ok(Term::Port(Box::new(NodePort {
                    node,
                    port: Port { id, creation: 0 },
                }))),
                _ => Err(self.fail("one number should stand in the port before this")),
            };
        }
        if self.eat("#Ref<") {
            let (node, numbers) = self.identity()?;
            // Printed from the last word to the first.
            let words = numbers.iter().rev().map(|number| u32::try_from(*number).ok());
            let words: Option<Vec<u32>> = words.collect();
            let reference = words.and_then(|words| Reference::new(0, &words));
            let reference = reference
                .ok_or_else(|| self.fail("one to five numbers of 32 bits should stand in the reference before this"))?;
            return Ok(Term::Reference(Box::new(NodeReference { node, reference })));
        }
        Err(self.fail(match self.rest.starts_with("#Fun<") {
            true => "a fun with a body cannot be read back",
            false => "a term should be here",
        }))
    }

    /// A node and the numbers after it, each after a full stop, up to `>`.
    fn identity(&mut self) -> Result<(Atom, Vec<u64>), SyntaxError> {
        let start = self.rest;
        let (node, numbers) = match self.eat("'") {
            true => {
                let name = self.quoted('\'')?;
                self.expect(".")?;
                (name, self.take_while(|c| c != '>'))
            }
            false => {
                let inner = self.take_while(|c| c != '>');
                // The name may hold full stops: the numbers are what stands after its last other part.
                let digits = inner.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
                let rest = inner.strip_prefix(digits).unwrap_or_default();
                let (more, numbers) = rest.split_once('.').unwrap_or((rest, ""));
                ([digits, more].concat(), numbers)
            }
        };
        self.expect(">")?;
        let numbers = numbers.split('.').map(|number| number.parse().ok());
        let numbers: Option<Vec<u64>> = numbers.collect();
        let node = match node.as_str() {
            "0" => Some(LOCAL),
            // The number that a node gives another one means nothing elsewhere.
            name => name.contains('@').then_some(name),
        };
        match (node, numbers) {
            (Some(node), Some(numbers)) => Ok((self.held(Atom::new(node))?, numbers)),
            _ => {
                self.rest = start;
                Err(self.fail("`0` or the name of a node, and numbers, should be here"))
            }
        }
    }
}
