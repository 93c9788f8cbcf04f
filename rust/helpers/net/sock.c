// SPDX-License-Identifier: GPL-2.0

#include <net/sock.h>

#ifdef CONFIG_MPTCP_RUST

__rust_helper void rust_helper_sock_owned_by_me(const struct sock *sk)
{
	sock_owned_by_me(sk);
}

#endif
