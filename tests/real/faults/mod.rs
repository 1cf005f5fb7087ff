//! What goes wrong between the program and the systems, and what is left of it: a clear word, and a world as if nothing
//! had been. The table of all faults stands in `docs/testing.md`.

mod away;
mod disk;
mod every;
mod stage;
mod told;
