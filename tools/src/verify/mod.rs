//! The performance guide's figures, each with ours beside it.
