//! Approaches to transfer learning compared on one data set: summary, artifacts and zip.
