/* SPDX-License-Identifier: Apache-2.0 */
/* The file is read with rte_cfgfile, which keeps no line numbers; a refusal looks its line up in the text. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cfgfile.h>

#include "config_check.h"
#include "config_value.h"

#define KEY(struct_name, member, key_kind, low, high, is_required)                                           \
    {                                                                                                        \
        .name = #member, .kind = (key_kind), .offset = offsetof(struct struct_name, member),                 \
        .minimum = (low), .maximum = (high), .required = (is_required)                                       \
    }
#define TEXT(struct_name, member, is_required)                                                               \
    KEY(struct_name, member, VALUE_TEXT, 0, sizeof(((struct struct_name *)0)->member), is_required)
#define NAMED(text, struct_name, member, key_kind, low, high, is_required)                                   \
    {                                                                                                        \
        .name = (text), .kind = (key_kind), .offset = offsetof(struct struct_name, member),                  \
        .minimum = (low), .maximum = (high), .required = (is_required)                                       \
    }
#define MS 1000000ull

static const struct config_key cluster_keys[] = {
    NAMED("id", config, cluster_id, VALUE_NUMBER, 1, UINT64_MAX, true),
    KEY(config, insecure, VALUE_YES_NO, 0, 0, true),
    NAMED("quorums", config, quorum_count_max, VALUE_NUMBER, 1, QUORUMS_MAX, false),
    NAMED("entry_bytes", config, data_bytes_max, VALUE_NUMBER, 64, DATA_BLOCKS_BYTES_MAX_JUMBO, false),
    NAMED("election_timeout", config, election_timeout_ns, VALUE_DURATION, 10 * MS, 60000 * MS, false),
    NAMED("heartbeat_interval", config, heartbeat_interval_ns, VALUE_DURATION, MS, 10000 * MS, false),
    NAMED("retransmit_timeout", config, retransmit_timeout_ns, VALUE_DURATION, MS, 10000 * MS, false),
    NAMED("commit_news_delay", config, commit_news_delay_ns, VALUE_DURATION, 0, 10 * MS, false),
    NAMED("disk_stall_limit", config, disk_stall_limit_ns, VALUE_DURATION, 10 * MS, 600000 * MS, false),
    {0}};
static const struct config_key node_keys[] = {
    NAMED("id", config, node_id, VALUE_NUMBER, 1, INT64_MAX, true),
    TEXT(config, admin_socket, true),
    TEXT(config, shm_socket, false),
    TEXT(config, runtime_dir, true),
    NAMED("memory", config, memory_bytes, VALUE_BYTES, 32ull << 20, 1ull << 40, false),
    KEY(config, huge_pages, VALUE_YES_NO, 0, 0, false),
    NAMED("mbufs", config, mbuf_count, VALUE_NUMBER, 512, 1u << 20, false),
    {0}};
static const struct config_key thread_keys[] = {KEY(config_thread, cpu, VALUE_NUMBER, 0, 1023, true),
                                                KEY(config_thread, profile, VALUE_PROFILE, 0, 0, true),
                                                {0}};
static const struct config_key log_keys[] = {
    TEXT(config_log, path, true),
    NAMED("size", config_log, size_bytes, VALUE_BYTES, 1ull << 20, 1ull << 50, false),
    NAMED("chunk", config_log, chunk_bytes, VALUE_BYTES, 64ull << 10, 1ull << 20, false),
    NAMED("memory", config_log, memory_bytes, VALUE_BYTES, 512ull << 10, 1ull << 36, false),
    KEY(config_log, sync, VALUE_SYNC, 0, 0, false),
    NAMED("slow_write", config_log, slow_write_ns, VALUE_DURATION, MS / 10, 10000 * MS, false),
    TEXT(config_log, worker_cpus, false),
    {0}};
static const struct config_key ethdev_keys[] = {
    TEXT(config_ethdev, device, true),
    KEY(config_ethdev, address, VALUE_IPV4, 0, 0, true),
    NAMED("port", config_ethdev, udp_port, VALUE_NUMBER, 1, 65535, false),
    KEY(config_ethdev, mtu, VALUE_NUMBER, 1500, 9000, false),
    KEY(config_ethdev, core, VALUE_NUMBER, 0, DATAPLANE_CORES_MAX - 1, false),
    {0}};
static const struct config_key peer_keys[] = {
    TEXT(config_peer, shm, false),
    KEY(config_peer, address, VALUE_IPV4, 0, 0, false),
    NAMED("port", config_peer, udp_port, VALUE_NUMBER, 1, 65535, false),
    KEY(config_peer, ethdev, VALUE_NUMBER, 0, CONFIG_ETHDEVS_MAX - 1, false),
    KEY(config_peer, mac, VALUE_MAC, 0, 0, false),
    {0}};

/* What a file is read with: where it stands, for the refusal. */
struct reading {
    const char *path;
    struct rte_cfgfile *file;
    struct config *config;
    char *error_text;
};

static void set_defaults(struct config *config)
{
    memset(config, 0, sizeof(*config));
    config->quorum_count_max = 16;
    config->data_bytes_max = DATA_BLOCKS_BYTES_MAX;
    config->election_timeout_ns = 150 * MS;
    config->heartbeat_interval_ns = 30 * MS;
    config->retransmit_timeout_ns = 20 * MS;
    config->disk_stall_limit_ns = 2000 * MS;
    config->commit_news_delay_ns = MS / 20;
    config->memory_bytes = 256ull << 20;
    config->mbuf_count = 4096;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        text[--length] = '\0';
    }
    return text;
}

/* The line of `key` in `section` (of the section itself when key is NULL), 0 when it is not there. */
static unsigned line_of(const char *path, const char *section, const char *key)
{
    char line[1024];
    char head[CONFIG_TEXT_BYTES + 4];
    unsigned number = 0;
    unsigned found = 0;
    bool inside = false;
    FILE *file = fopen(path, "r");
    if (!file) {
        return 0;
    }
    snprintf(head, sizeof(head), "[%s]", section);
    while (!found && fgets(line, sizeof(line), file)) {
        number++;
        char *text = trim(line);
        if (text[0] == '[') {
            inside = strcmp(text, head) == 0;
            found = inside && !key ? number : 0;
        } else if (inside && key && strncmp(text, key, strlen(key)) == 0) {
            char after = text[strlen(key)];
            found = after == '=' || after == ' ' || after == '\t' ? number : 0;
        }
    }
    fclose(file);
    return found;
}

static bool refuse(const struct reading *reading, const char *section, const char *key, const char *what,
                   const char *allowed)
{
    snprintf(reading->error_text, CONFIG_ERROR_BYTES, "%s:%u: [%s]%s%s: %s%s%s", reading->path,
             line_of(reading->path, section, key), section, key ? " " : "", key ? key : "", what,
             allowed && allowed[0] ? "; allowed: " : "", allowed ? allowed : "");
    return false;
}

static void list_keys(const struct config_key *keys, const char *special, char *text, size_t size)
{
    snprintf(text, size, "%s", special ? special : "");
    for (; keys->name; keys++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", used ? ", " : "", keys->name);
    }
}

static const struct config_key *find_key(const struct config_key *keys, const char *name)
{
    for (; keys->name; keys++) {
        if (strcmp(keys->name, name) == 0) {
            return keys;
        }
    }
    return NULL;
}

/* Keys that are not one value: `special` names the one that the section has; its text goes to *ret_special.
 */
static bool read_section(const struct reading *reading, const char *section, const struct config_key *keys,
                         void *place, const char *special, const char **ret_special)
{
    struct rte_cfgfile_entry entries[32];
    char allowed[256];
    int count = rte_cfgfile_section_num_entries(reading->file, section);
    if (count < 0 || count > 32) {
        return refuse(reading, section, NULL, "more than 32 keys", NULL);
    }
    rte_cfgfile_section_entries(reading->file, section, entries, count);
    for (int i = 0; i < count; i++) {
        const struct config_key *key = find_key(keys, entries[i].name);
        for (int before = 0; before < i; before++) {
            if (strcmp(entries[before].name, entries[i].name) == 0) {
                return refuse(reading, section, entries[i].name, "given twice", NULL);
            }
        }
        if (special && strcmp(entries[i].name, special) == 0) {
            *ret_special = rte_cfgfile_get_entry(reading->file, section, special);
            continue;
        }
        if (!key) {
            list_keys(keys, special, allowed, sizeof(allowed));
            return refuse(reading, section, entries[i].name, "unknown key", allowed);
        }
        if (!config_value_read(key, entries[i].value, (uint8_t *)place + key->offset, allowed)) {
            char what[192];
            snprintf(what, sizeof(what), "bad value \"%.128s\"", entries[i].value);
            return refuse(reading, section, key->name, what, allowed);
        }
    }
    for (const struct config_key *key = keys; key->name; key++) {
        if (key->required && !rte_cfgfile_has_entry(reading->file, section, key->name)) {
            char what[96];
            snprintf(what, sizeof(what), "the key %s is missing", key->name);
            return refuse(reading, section, NULL, what, NULL);
        }
    }
    return true;
}

/* "dataplane0 consensus0" */
static bool read_parts(struct config_thread *thread, const char *text)
{
    char copy[CONFIG_TEXT_BYTES];
    char *saved = NULL;
    snprintf(copy, sizeof(copy), "%s", text ? text : "");
    for (char *word = strtok_r(copy, " ", &saved); word; word = strtok_r(NULL, " ", &saved)) {
        unsigned index = 0;
        char rest = 0;
        bool dataplane = sscanf(word, "dataplane%u%c", &index, &rest) == 1;
        bool consensus = !dataplane && sscanf(word, "consensus%u%c", &index, &rest) == 1;
        if ((!dataplane && !consensus) || thread->part_count == CONFIG_PARTS_MAX ||
            index >= (dataplane ? DATAPLANE_CORES_MAX : CONSENSUS_CORES_MAX)) {
            return false;
        }
        thread->parts[thread->part_count].kind = dataplane ? CONFIG_DATAPLANE : CONFIG_CONSENSUS;
        thread->parts[thread->part_count++].index = index;
    }
    return thread->part_count > 0;
}

static bool read_thread(const struct reading *reading, const char *section, uint64_t number)
{
    struct config *config = reading->config;
    const char *runs = NULL;
    if (config->thread_count == CONFIG_THREADS_MAX) {
        return refuse(reading, section, NULL, "too many threads", NULL);
    }
    struct config_thread *thread = &config->threads[config->thread_count++];
    thread->number = number;
    if (!read_section(reading, section, thread_keys, thread, "runs", &runs)) {
        return false;
    }
    if (!read_parts(thread, runs)) {
        return refuse(reading, section, runs ? "runs" : NULL, "runs names no parts",
                      "dataplane0, consensus0, ... separated by a blank, at most 3");
    }
    return true;
}

static bool read_log(const struct reading *reading, const char *section, const char *name)
{
    struct config *config = reading->config;
    if (config->log_count == CONSENSUS_CORES_MAX) {
        return refuse(reading, section, NULL, "too many logs", NULL);
    }
    struct config_log *log = &config->logs[config->log_count++];
    log->chunk_bytes = 1u << 20;
    log->memory_bytes = 16u << 20;
    log->slow_write_ns = 10 * MS;
    if (strlen(name) >= sizeof(log->name)) {
        return refuse(reading, section, NULL, "the log's name is too long", "31 characters");
    }
    snprintf(log->name, sizeof(log->name), "%s", name);
    return read_section(reading, section, log_keys, log, NULL, NULL);
}

static bool read_ethdev(const struct reading *reading, const char *section, uint64_t number)
{
    struct config *config = reading->config;
    if (number != config->ethdev_count || number >= CONFIG_ETHDEVS_MAX) {
        return refuse(reading, section, NULL, "ethdevs are numbered 0, 1, ... in order, at most 4", NULL);
    }
    struct config_ethdev *ethdev = &config->ethdevs[config->ethdev_count++];
    *ethdev = (struct config_ethdev){.number = number, .udp_port = 26480, .mtu = 1500};
    return read_section(reading, section, ethdev_keys, ethdev, NULL, NULL);
}

static bool read_peer(const struct reading *reading, const char *section, uint64_t number)
{
    struct config *config = reading->config;
    if (config->peer_count == NODES_MAX) {
        return refuse(reading, section, NULL, "too many peers", NULL);
    }
    struct config_peer *peer = &config->peers[config->peer_count++];
    *peer = (struct config_peer){.node_id = number, .udp_port = 26480};
    return read_section(reading, section, peer_keys, peer, NULL, NULL);
}

static bool read_devices(const struct reading *reading)
{
    struct config *config = reading->config;
    struct rte_cfgfile_entry entries[CONFIG_DEVICES_MAX];
    int count = rte_cfgfile_section_num_entries(reading->file, "devices");
    if (count > CONFIG_DEVICES_MAX) {
        return refuse(reading, "devices", NULL, "too many devices", "at most 8");
    }
    rte_cfgfile_section_entries(reading->file, "devices", entries, count);
    for (int i = 0; i < count; i++) {
        char *place = config->devices[config->device_count++];
        /* "net_af_packet0 = iface=eth1" stands for the device string "net_af_packet0,iface=eth1" */
        if (snprintf(place, CONFIG_TEXT_BYTES, "%s%s%s", entries[i].name, entries[i].value[0] ? "," : "",
                     entries[i].value) >= CONFIG_TEXT_BYTES) {
            return refuse(reading, "devices", entries[i].name, "device string too long", "127 characters");
        }
    }
    return true;
}

static bool read_any_section(const struct reading *reading, const char *section)
{
    unsigned long long number = 0;
    char rest = 0;
    struct config *config = reading->config;
    if (strcmp(section, "cluster") == 0) {
        return read_section(reading, section, cluster_keys, config, NULL, NULL);
    }
    if (strcmp(section, "node") == 0) {
        return read_section(reading, section, node_keys, config, NULL, NULL);
    }
    if (strcmp(section, "devices") == 0) {
        return read_devices(reading);
    }
    if (sscanf(section, "thread %llu%c", &number, &rest) == 1) {
        return read_thread(reading, section, number);
    }
    if (strncmp(section, "log ", 4) == 0 && section[4]) {
        return read_log(reading, section, section + 4);
    }
    if (sscanf(section, "ethdev %llu%c", &number, &rest) == 1) {
        return read_ethdev(reading, section, number);
    }
    if (sscanf(section, "peer %llu%c", &number, &rest) == 1 && number > 0) {
        return read_peer(reading, section, number);
    }
    return refuse(reading, section, NULL, "unknown section",
                  "cluster, node, devices, thread N, log NAME, ethdev N, peer ID");
}

static bool read_sections(const struct reading *reading)
{
    enum { SECTIONS_MAX = 64 };
    static char names[SECTIONS_MAX][CFG_NAME_LEN];
    char *pointers[SECTIONS_MAX];
    int count = rte_cfgfile_num_sections(reading->file, NULL, 0);
    if (count > SECTIONS_MAX) {
        snprintf(reading->error_text, CONFIG_ERROR_BYTES, "%s:1: more than 64 sections", reading->path);
        return false;
    }
    for (int i = 0; i < count; i++) {
        pointers[i] = names[i];
    }
    rte_cfgfile_sections(reading->file, pointers, count);
    for (int i = 0; i < count; i++) {
        for (int before = 0; before < i; before++) {
            if (strcmp(names[before], names[i]) == 0) {
                return refuse(reading, names[i], NULL, "section given twice", NULL);
            }
        }
        if (!read_any_section(reading, names[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        const char *needed = i == 0 ? "cluster" : "node";
        if (!rte_cfgfile_has_section(reading->file, needed)) {
            snprintf(reading->error_text, CONFIG_ERROR_BYTES, "%s:1: the section [%s] is missing",
                     reading->path, needed);
            return false;
        }
    }
    return true;
}

bool config_load(const char *path, struct config *ret_config, char *error_text)
{
    static const struct rte_cfgfile_parameters parameters = {.comment_character = '#'};
    static struct config config;
    FILE *readable = fopen(path, "r");
    if (!readable) {
        snprintf(error_text, CONFIG_ERROR_BYTES, "%s: cannot be read: %s", path, strerror(errno));
        return false;
    }
    fclose(readable);
    unsigned bad_line = config_first_bad_line(path);
    struct rte_cfgfile *file =
        bad_line ? NULL : rte_cfgfile_load_with_params(path, CFG_FLAG_EMPTY_VALUES, &parameters);
    if (!file) {
        snprintf(error_text, CONFIG_ERROR_BYTES,
                 "%s:%u: not an INI file; allowed: [section], key = value, # comment", path, bad_line);
        return false;
    }
    set_defaults(&config);
    struct reading reading = {.path = path, .file = file, .config = &config, .error_text = error_text};
    const char *section = NULL;
    const char *what = NULL;
    bool good = read_sections(&reading);
    if (good) {
        what = config_contradiction(&config, &section);
        good = !what || refuse(&reading, section, NULL, what, NULL);
    }
    rte_cfgfile_close(file);
    if (good) {
        *ret_config = config;
    }
    return good;
}
