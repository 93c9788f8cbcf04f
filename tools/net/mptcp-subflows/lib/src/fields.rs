// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

//! The kernel's structures, of which an older kernel fills only the first part.

use std::time::Duration;

/// An integer of a C structure.
pub(crate) trait Field: Sized + Into<u64> {
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! field {
    ($($int:ty),*) => {$(
        impl Field for $int {
            fn read(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().copied().map(<$int>::from_ne_bytes)
            }
        }
    )*};
}
field!(u8, u16, u32, u64);

/// What the kernel filled of a structure of `N` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Filled<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Filled<N> {
    /// Takes the first `N` bytes; more come from a newer kernel.
    pub fn new(filled: &[u8]) -> Self {
        let len = filled.len().min(N);
        let mut bytes = [0; N];
        bytes[..len].copy_from_slice(&filled[..len]);
        Self { bytes, len }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub fn read<T: Field>(&self, offset: usize) -> Option<T> {
        self.as_bytes().get(offset..).and_then(T::read)
    }
}

impl<const N: usize> PartialEq for Filled<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> Eq for Filled<N> {}

/// From the members of a C structure, in order, makes its layout and the accessors of `$name`.
///
/// A conversion returns `None` for a value that stands for "not measured".
macro_rules! kernel_struct {
    ($name:ident, $prefix:literal, $(
        fields {
            $($(#[$doc:meta])* $field:ident: $int:ty => $out:ty = $convert:path,)*
        }
        bare {
            $($bare:ident: $bare_int:ty,)*
        }
    )*) => {
        /// The layout, from which the offsets come. No value of it is ever made.
        #[repr(C)]
        struct Layout {
            $($($field: $int,)* $($bare: $bare_int,)*)*
        }

        // C's structure has no gap that is not named here.
        const _: () = assert!(
            $name::SIZE == 0 $($(+ size_of::<$int>())* $(+ size_of::<$bare_int>())*)*
        );

        impl $name {
            $($(
                $(#[$doc])*
                pub fn $field(&self) -> Option<$out> {
                    self.filled.read::<$int>(offset_of!(Layout, $field)).and_then($convert)
                }
            )*)*

            /// How many bytes of the structure the kernel filled: at most [`SIZE`](Self::SIZE).
            pub fn size(&self) -> usize {
                self.filled.as_bytes().len()
            }

            /// What the kernel filled, as it filled it.
            pub fn as_bytes(&self) -> &[u8] {
                self.filled.as_bytes()
            }

            /// Every field that has an accessor of its own type, under its C name and with its C
            /// value: times are in the kernel's unit, and what was not measured is the kernel's
            /// number for that. `None` is a field that the kernel lacks.
            pub fn fields(&self) -> impl Iterator<Item = (&'static str, Option<u64>)> + use<> {
                [$($(
                    (
                        concat!($prefix, stringify!($field)),
                        self.filled.read::<$int>(offset_of!(Layout, $field)).map(u64::from),
                    ),
                )*)*]
                .into_iter()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let known = self
                    .fields()
                    .filter_map(|(name, value)| Some((name, value?)));
                f.debug_map().entries(known).finish()
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.fields())
            }
        }
    };
}
pub(crate) use kernel_struct;

pub(crate) fn raw<T>(value: T) -> Option<T> {
    Some(value)
}

pub(crate) fn flag(value: u8) -> Option<bool> {
    Some(value != 0)
}

pub(crate) fn micros(value: impl Into<u64>) -> Option<Duration> {
    Some(Duration::from_micros(value.into()))
}

pub(crate) fn millis(value: impl Into<u64>) -> Option<Duration> {
    Some(Duration::from_millis(value.into()))
}

/// Zero stands for "not measured".
pub(crate) fn nonzero<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

pub(crate) fn nonzero_micros(value: u32) -> Option<Duration> {
    nonzero(value).and_then(micros)
}

/// The largest number stands for "not measured".
pub(crate) fn micros_below_max(value: u32) -> Option<Duration> {
    (value != u32::MAX).then_some(value).and_then(micros)
}

/// The largest number stands for "no limit".
pub(crate) fn below_max(value: u64) -> Option<u64> {
    (value != u64::MAX).then_some(value)
}
