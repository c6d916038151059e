//! Joins whose answer is known beforehand.
