//! From policy file and DNS facts to what a connection must achieve.
