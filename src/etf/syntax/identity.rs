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
    /// Reads `<Node.Id.Serial>`.
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
            _ => Err(self.fail("expected two numbers in the pid before this")),
        }
    }

    /// Reads a term that begins with `#` and is not a map.
    pub(super) fn hash(&mut self) -> Result<Term, SyntaxError> {
        if self.eat("#Port<") {
            let (node, numbers) = self.identity()?;
            return match *numbers.as_slice() {
                [id] => Ok(Term::Port(Box::new(NodePort {
                    node,
                    port: Port { id, creation: 0 },
                }))),
                _ => Err(self.fail("expected one number in the port before this")),
            };
        }
        if self.eat("#Ref<") {
            let (node, numbers) = self.identity()?;
            // The words are printed from the last to the first.
            let words = numbers.iter().rev().map(|number| u32::try_from(*number).ok());
            let words: Option<Vec<u32>> = words.collect();
            let reference = words.and_then(|words| Reference::new(0, &words));
            let reference = reference
                .ok_or_else(|| self.fail("expected one to five 32-bit numbers in the reference before this"))?;
            return Ok(Term::Reference(Box::new(NodeReference { node, reference })));
        }
        Err(self.fail(match self.rest.starts_with("#Fun<") {
            true => "a local fun cannot be parsed",
            false => "expected a term",
        }))
    }

    /// Reads a node and the numbers after it, separated by full stops, up to `>`.
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
                // The node name may contain full stops: the numbers are everything after its last other character.
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
            // A node number of another node is meaningless here.
            name => name.contains('@').then_some(name),
        };
        match (node, numbers) {
            (Some(node), Some(numbers)) => Ok((self.held(Atom::new(node))?, numbers)),
            _ => {
                self.rest = start;
                Err(self.fail("expected `0` or a node name, followed by numbers"))
            }
        }
    }
}
