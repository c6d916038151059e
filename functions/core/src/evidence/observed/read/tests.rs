//! The shapes in which lines come.
