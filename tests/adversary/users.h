/* SPDX-License-Identifier: BSD-3-Clause
 * users.h - user operators that show every mistake: associative, exact, and the first two depend on the order
 * of operands. */
#ifndef ADV_USERS_H
#define ADV_USERS_H

#include "tests/adversary/world.h"

typedef struct adv_user {
    adv_user_fn *fn;
    int type;
    bool commutative;
} adv_user;

enum { ADV_USER_MATRIX, ADV_USER_AFFINE, ADV_USER_COMMUTATIVE, ADV_USERS };

const adv_user *adv_user_at(int index);

#endif
