//! Proof by killing: any process may be killed at any instruction, and the others go on.
//!
//! The program `strait-torture` (feature `fail-points`) is a supervisor that starts real processes,
//! kills them at every numbered step and at random moments, and judges by what the survivors wrote
//! into pipes. Here is what of it can be tested without killing anybody:
//!
//! | module | what lives there |
//! |---|---|
//! | [`random`] | chance that repeats itself |
//! | [`plan`] | what a seed means: rounds, and the kills of each |
//! | [`spec`] | what an actor is told on its command line |
//! | [`body`] | messages that tell whether they arrived whole |
//! | [`journal`] | what actors tell the supervisor |
//! | [`oracle`] | from journals and kills to violations |
//! | [`fanout`] | the same for one sender and several receivers |
//! | [`directory`] | the same for those who offer, withdraw and look |
//! | [`lanes`] | the same for several senders and one receiver |
//! | [`mpmc`] | the same for several senders and several receivers |
//! | [`calls`] | the same for a service and its callers |
//! | [`tally`] | what is counted, and which steps were reached |
//! | [`report`] | the tally as text and as JSON |

pub mod body;
pub mod calls;
pub mod directory;
pub mod fanout;
pub mod journal;
pub mod lanes;
pub mod mpmc;
pub mod oracle;
pub mod plan;
pub mod random;
pub mod report;
pub mod spec;
pub mod tally;
