//! What the `strait` command is made of; programs that measure can use it too.
//!
//! | module | what lives there |
//! |---|---|
//! | [`allocations`] | how many a piece of work makes |
//! | [`mod@bench`] | round trips, one-way latency and streams, each beside a yardstick of the hardware |
//! | `echo` | the service whose calls are measured |
//! | [`environment`] | machine, kernel, program, moment: without them a figure means nothing |
//! | [`operate`] | what channels there are, what is in one, what they do, and removing those nobody uses |
//! | [`report`] | from histograms to files: percentile tables, logs, a plot, a page |
//! | [`verify`] | the performance guide's figures, each with ours beside it |

pub mod allocations;
pub mod bench;
mod echo;
pub mod environment;
pub mod operate;
pub mod report;
pub mod verify;
