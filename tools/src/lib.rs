//! What the `strait` command is made of; programs that measure can use it too.
//!
//! | module | what lives there |
//! |---|---|
//! | [`environment`] | machine, kernel, program, moment: without them a figure means nothing |
//! | [`report`] | from histograms to files: percentile tables, logs, a plot, a page |
//! | [`verify`] | the performance guide's figures, each with ours beside it |

pub mod environment;
pub mod report;
pub mod verify;
