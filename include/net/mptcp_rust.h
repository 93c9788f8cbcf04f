/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Multipath TCP: what the C and the Rust part of net/mptcp/ call in each other.
 *
 * bindgen reads this header, and #[export] checks each Rust function against
 * the declaration here.
 */

#ifndef __NET_MPTCP_RUST_H
#define __NET_MPTCP_RUST_H

struct mptcp_info;
struct mptcp_sock;

/**
 * mptcp_getsockopt_subflow_info() - answer an option about the subflows
 * @msk: the MPTCP socket
 * @optname: %MPTCP_TCPINFO, %MPTCP_SUBFLOW_ADDRS or %MPTCP_FULL_INFO
 * @optval: user buffer: &struct mptcp_subflow_data and an array, or
 *	&struct mptcp_full_info
 * @optlen: user pointer to the size of @optval in bytes, updated just before
 *	the header is written back
 *
 * Context: Process context, may sleep. Takes the msk socket lock, and under it
 * each subflow's in turn.
 *
 * Return:
 * * %0		- success
 * * %-EINVAL	- the buffer is shorter than the header, or the header invalid
 * * %-EFAULT	- user memory could not be read or written
 * * %-EOPNOTSUPP	- there is no such option
 */
int mptcp_getsockopt_subflow_info(struct mptcp_sock *msk, int optname,
				  char __user *optval, int __user *optlen);

/**
 * mptcp_diag_fill_info_locked() - like mptcp_diag_fill_info(), under the lock
 * @msk: the MPTCP socket
 * @info: where to write the state and the counters of the connection
 *
 * Context: Process context. The caller holds the msk socket lock.
 */
void mptcp_diag_fill_info_locked(struct mptcp_sock *msk,
				 struct mptcp_info *info);

#endif /* __NET_MPTCP_RUST_H */
