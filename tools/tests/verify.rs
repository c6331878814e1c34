//! The guide, verified.
