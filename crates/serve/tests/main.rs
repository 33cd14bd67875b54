//! Runs a server in this process, and talks to it over sockets.

mod client;
mod limits;
mod predict;
mod stop;
