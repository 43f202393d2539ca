//! Turns flips into deliveries and carries them to their channels.
