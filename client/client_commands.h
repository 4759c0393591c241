/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of `tally` that are clients. Exit status: 0 done, 1 it did not work, 2 asked for wrongly. */
#ifndef TALLY_CLIENT_COMMANDS_H
#define TALLY_CLIENT_COMMANDS_H

int command_publish(int argc, char **argv);
int command_subscribe(int argc, char **argv);

#endif
