#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest: runs a shell, then ends the guest.
set -euo pipefail

bash || :
"${0%/*}/off.sh"
