// SPDX-License-Identifier: GPL-2.0

#include <linux/uaccess.h>

#ifdef CONFIG_MPTCP_RUST

__rust_helper int rust_helper_get_user_u32(u32 *val, const u32 __user *ptr)
{
	return get_user(*val, ptr);
}

__rust_helper int rust_helper_put_user_u32(u32 val, u32 __user *ptr)
{
	return put_user(val, ptr);
}

#endif
