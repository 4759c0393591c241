/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the `tally` command line that need libtally alone. argv[0] is the word that chose the command.
 * They return the exit status: 0 all went well, 1 something was refused, lost or unreadable, 2 the arguments
 * are wrong. */
#ifndef TALLY_CLIENT_COMMANDS_H
#define TALLY_CLIENT_COMMANDS_H

/* Publishes the messages of a BinaryFILE, or the lines of stdin, and waits until they are committed. */
int command_publish(int argc, char **argv);

/* Prints committed entries, or writes their messages to a BinaryFILE. */
int command_subscribe(int argc, char **argv);

#endif
