mod file;
mod policy;
