/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Multipath TCP: what C calls in the Rust part of net/mptcp/.
 *
 * bindgen reads this header, and #[export] checks each Rust function against
 * the declaration here.
 */

#ifndef __NET_MPTCP_RUST_H
#define __NET_MPTCP_RUST_H

struct mptcp_sock;

/**
 * mptcp_getsockopt_subflow_info() - answer getsockopt(SOL_MPTCP, MPTCP_TCPINFO)
 * @msk: the MPTCP socket
 * @optval: user buffer: &struct mptcp_subflow_data, then &struct tcp_info[]
 * @optlen: user pointer to the size of @optval in bytes, updated just before
 *	the header is written back
 *
 * Context: Process context, may sleep. The caller holds the msk socket lock,
 * and no subflow's.
 *
 * Return:
 * * %0		- success
 * * %-EINVAL	- the buffer is smaller than the header, or the header is invalid
 * * %-EFAULT	- @optval or @optlen could not be read or written
 */
int mptcp_getsockopt_subflow_info(struct mptcp_sock *msk, char __user *optval,
				  int __user *optlen);

#endif /* __NET_MPTCP_RUST_H */
