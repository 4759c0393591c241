/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of `tally`. argv[0] is the subcommand's name. Exit status: 0 done, 1 it did not work, 2 it
 * was asked for wrongly and nothing was touched. */
#ifndef TALLY_COMMANDS_H
#define TALLY_COMMANDS_H

int command_config(int argc, char **argv);    /* config check FILE */
int command_format(int argc, char **argv);    /* format -c FILE [--force | --grow SIZE] */
int command_node(int argc, char **argv);      /* node -c FILE */
int command_bootstrap(int argc, char **argv); /* bootstrap -c FILE --quorum NAME --voters 1,2,3 [--here] */
int command_status(int argc, char **argv);    /* status -c FILE [--json] [--node ID] */
int command_log(int argc, char **argv);       /* log dump|verify|stats|export TAPE ...; more exit statuses */

#endif
