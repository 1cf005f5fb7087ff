//! Simulators: the common ground of directory, campus and targets.
