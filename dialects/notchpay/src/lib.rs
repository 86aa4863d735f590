//! The notchpay dialect.
