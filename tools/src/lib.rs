//! What the `strait` command is made of; programs that measure can use it too.
//!
//! | module | what lives there |
//! |---|---|
//! | [`allocations`] | how many a piece of work makes |
//! | [`mod@bench`] | round trips, one-way latency and streams, each beside a yardstick of the hardware |
//! | [`doctor`] | whether this machine is set up for shared memory of low latency |
//! | `echo` | the service whose calls are measured |
//! | [`environment`] | machine, kernel, program, moment: without them a figure means nothing |
//! | [`examples`] | what every command's `--help` ends with |
//! | [`manual`] | completions for shells, and pages for `man` |
//! | [`operate`] | what channels there are, what is in one, what they do, and removing those nobody uses |
//! | [`report`] | from histograms to files: percentile tables, logs, a plot, a page |
//! | [`verify`] | the performance guide's figures, each with ours beside it |

pub mod allocations;
pub mod bench;
pub mod doctor;
mod echo;
pub mod environment;
pub mod examples;
pub mod manual;
pub mod operate;
pub mod report;
pub mod verify;
