//! Reading and writing recordings.
