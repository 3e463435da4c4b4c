use std::time::Duration;

/// How long a local node says nothing before it is asked whether it lives, and what silence is counted in.
const STEP: Duration = Duration::from_secs(1);

/// How many steps an answer may take: another program may have the processor.
const ANSWER: u32 = 2;

/// What the silence of a local node beyond its tick time may take until its leg is closed here. Nodes notice a silence up to a
/// quarter after their tick time.
const MARGIN: Duration = Duration::from_secs(5);

/// Tells a silent local node from one that has nothing to say.
///
/// A node with nothing to say ticks every quarter of its tick time, which a gateway does not know, so silence alone says little
/// for up to half of that time. But a node that lives answers a question at once. So it is asked, and is silent if it does not
/// answer. A node that never answered is not a BEAM: it is silent after a little more than half of the configured tick time.
#[derive(Debug)]
pub(super) struct Silence {
    net_ticktime: Duration,
    /// Whether the peer can be told.
    is_told_of: bool,
    /// Whether the node understands questions.
    understands: bool,
    /// Whether it has answered one.
    answers: bool,
    /// Whether it has not answered the last question.
    is_asked: bool,
    /// How many steps it has been silent for.
    steps: u32,
    /// How many of these since a question.
    unanswered: u32,
    /// Whether it counts as silent.
    is_silent: bool,
}

/// What to do about a node after a step in which it said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Ask it whether it lives.
    Ask,
    /// Tell the peer that it is silent.
    Tell,
    /// Close its leg.
    Close,
}

impl Silence {
    /// A node has completed its handshake. It is asked once now.
    pub(super) const fn new(net_ticktime: Duration, is_told_of: bool, understands: bool) -> Self {
        Self {
            net_ticktime,
            is_told_of,
            understands,
            answers: false,
            is_asked: is_told_of && understands,
            steps: 0,
            unanswered: 0,
            is_silent: false,
        }
    }

    /// How long to wait for the node before [`Silence::passed`].
    pub(super) const fn step(&self) -> Duration {
        if self.is_told_of { STEP } else { self.net_ticktime }
    }

    /// How long the node may be silent before its leg is closed here. If the peer knows, the tick time of the far node comes first.
    pub(super) fn limit(&self) -> Duration {
        if self.is_told_of {
            self.net_ticktime * 2 + MARGIN
        } else {
            self.net_ticktime
        }
    }

    /// Whether an answer may come.
    pub(super) const fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// The node has answered a question.
    pub(super) const fn answered(&mut self) {
        self.is_asked = false;
        self.answers = true;
    }

    /// The node has sent something. Returns whether the peer must be told that it speaks again.
    pub(super) const fn heard(&mut self) -> bool {
        self.steps = 0;
        self.unanswered = 0;
        std::mem::replace(&mut self.is_silent, false)
    }

    /// Another step has passed in which the node has sent nothing. If the far node is silent, this one is not asked: it must not
    /// hear from it.
    pub(super) fn passed(&mut self, is_far_silent: bool) -> Due {
        self.steps += 1;
        let silence = self.step() * self.steps;
        if silence >= self.limit() {
            return Due::Close;
        }
        if self.is_silent {
            return Due::Nothing;
        }
        if silence >= self.net_ticktime / 16 * 9 {
            self.is_silent = true;
            return Due::Tell;
        }
        if !self.understands {
            return Due::Nothing;
        }
        if is_far_silent {
            self.unanswered = 0;
            return Due::Nothing;
        }
        if !self.is_asked {
            self.is_asked = true;
            return Due::Ask;
        }
        self.unanswered += 1;
        self.is_silent = self.answers && self.unanswered >= ANSWER;
        if self.is_silent { Due::Tell } else { Due::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKTIME: Duration = Duration::from_secs(60);

    /// The steps after which something is due.
    fn due(silence: &mut Silence, is_far_silent: bool) -> Vec<(u32, Due)> {
        let mut found = Vec::new();
        for step in 1.. {
            match silence.passed(is_far_silent) {
                Due::Nothing => {}
                Due::Close => {
                    found.push((step, Due::Close));
                    break;
                }
                due => found.push((step, due)),
            }
        }
        found
    }

    fn answering() -> Silence {
        let mut silence = Silence::new(TICKTIME, true, true);
        assert!(silence.is_asked(), "the first question is at once");
        silence.answered();
        assert!(!silence.heard());
        silence
    }

    #[test]
    fn a_node_that_stops_answering_is_silent_after_three_seconds() {
        let mut silence = answering();
        assert_eq!(
            due(&mut silence, false),
            [(1, Due::Ask), (3, Due::Tell), (125, Due::Close)]
        );
    }

    #[test]
    fn an_idle_node_that_answers_is_never_silent() {
        let mut silence = answering();
        for _ in 0..1000 {
            assert_eq!(silence.passed(false), Due::Ask);
            assert!(silence.is_asked());
            assert_eq!(silence.passed(false), Due::Nothing, "it may take its time");
            silence.answered();
            assert!(!silence.heard());
        }
    }

    #[test]
    fn a_node_that_speaks_again_is_told_once_and_again_each_time() {
        let mut silence = answering();
        for _ in 0..3 {
            assert_eq!(
                [(); 3].map(|()| silence.passed(false)),
                [Due::Ask, Due::Nothing, Due::Tell]
            );
            assert_eq!(silence.passed(false), Due::Nothing);
            silence.answered();
            assert!(silence.heard());
            assert!(!silence.heard());
        }
    }

    /// A tick every 15 s, and after a message none for up to 30.
    #[test]
    fn a_node_that_answers_no_question_is_silent_after_half_of_its_tick_time() {
        for (understands, is_told) in [(true, false), (false, false), (true, true)] {
            let mut silence = Silence::new(TICKTIME, true, understands);
            if is_told {
                silence.answered();
            }
            let found = due(&mut silence, is_told);
            assert_eq!(found, [(34, Due::Tell), (125, Due::Close)], "{understands} {is_told}");
        }
    }

    /// The far node must not hear from it either.
    #[test]
    fn a_node_whose_far_node_is_silent_is_asked_later() {
        let mut silence = answering();
        assert_eq!([(); 9].map(|()| silence.passed(true)), [Due::Nothing; 9]);
        assert_eq!(
            [(); 3].map(|()| silence.passed(false)),
            [Due::Ask, Due::Nothing, Due::Tell]
        );
    }

    #[test]
    fn a_peer_that_cannot_be_told_is_not() {
        let mut silence = Silence::new(TICKTIME, false, true);
        assert!(!silence.is_asked());
        assert_eq!(silence.step(), TICKTIME);
        assert_eq!(silence.passed(false), Due::Close);
    }
}
