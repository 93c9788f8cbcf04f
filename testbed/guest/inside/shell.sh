#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: a shell, and when it is left, the end.
set -euo pipefail

bash || :
"${0%/*}/off.sh"
