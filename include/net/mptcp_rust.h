/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Multipath TCP: functions through which C and Rust code call each other.
 *
 * bindgen reads this header, and #[export] compares each Rust function with
 * its declaration here.
 */

#ifndef __NET_MPTCP_RUST_H
#define __NET_MPTCP_RUST_H

#include <linux/compiler.h>

struct mptcp_info;
struct mptcp_sock;
struct mptcp_subflow_addrs;
struct sock;

/* Called from Rust. Static without CONFIG_MPTCP_RUST. */
#ifdef CONFIG_MPTCP_RUST
#define VISIBLE_IF_MPTCP_RUST

/**
 * mptcp_diag_fill_info_locked() - mptcp_diag_fill_info() with the lock held
 * @msk: the MPTCP socket
 * @info: where to write the state and the counters of the connection
 *
 * Context: Process context. The caller holds the msk lock. Takes the msk data
 * lock.
 */
void mptcp_diag_fill_info_locked(struct mptcp_sock *msk,
				 struct mptcp_info *info);

/**
 * mptcp_get_sub_addrs() - get the addresses of a subflow
 * @sk: the TCP socket of the subflow
 * @a: where to write the local and the remote address
 *
 * Context: Any context. The caller holds a reference to @sk.
 */
void mptcp_get_sub_addrs(const struct sock *sk, struct mptcp_subflow_addrs *a);
#else
#define VISIBLE_IF_MPTCP_RUST	static
#endif

/**
 * mptcp_getsockopt_subflow_info() - get information about each subflow
 * @msk: the MPTCP socket, created by socket() or returned by accept()
 * @optname: %MPTCP_TCPINFO, %MPTCP_SUBFLOW_ADDRS or %MPTCP_FULL_INFO
 * @optval: user pointer to the buffer: &struct mptcp_subflow_data and an
 *	array, or &struct mptcp_full_info
 * @optlen: user pointer to the size of the buffer in bytes; updated just
 *	before the header is written back
 *
 * Context: Process context, may sleep. The caller holds the msk lock. Takes
 * the lock of each subflow whose &struct tcp_info is written, one at a time.
 * For %MPTCP_FULL_INFO, may also take the msk data lock.
 *
 * Return:
 * * %0		- success
 * * %-EINVAL	- the buffer is shorter than the header, or the header is
 *		  invalid
 * * %-EFAULT	- user memory could not be read or written
 * * %-EOPNOTSUPP	- @optname is none of the three options
 */
int mptcp_getsockopt_subflow_info(struct mptcp_sock *msk, int optname,
				  char __user *optval, int __user *optlen);

#endif /* __NET_MPTCP_RUST_H */
