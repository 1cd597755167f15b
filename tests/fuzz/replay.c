/*
 * Runs a fuzz target over the files of the folders named on the command line: each file as it is,
 * and every prefix of it, so that a corpus also covers input that was cut short.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX_LEN = 1 << 20, PREFIX_MAX_LEN = 2048 };

static int replay_file(const char *path)
{
    static unsigned char content[FILE_MAX_LEN];
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    size_t len = fread(content, 1, sizeof(content), f);
    fclose(f);
    for (size_t n = 0; n <= len; n = n < PREFIX_MAX_LEN && n < len ? n + 1
                                     : n == len                    ? n + 1
                                                                   : len) {
        /* An allocation of the exact size lets the sanitizers see a read past the end. */
        unsigned char *copy = malloc(n ? n : 1);
        for (size_t i = 0; i < n; i++)
            copy[i] = content[i];
        LLVMFuzzerTestOneInput(copy, n);
        free(copy);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) {
            perror(argv[i]);
            return 1;
        }
        struct dirent *entry;
        while ((entry = readdir(dir))) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (replay_file(path) == 0)
                files++;
        }
        closedir(dir);
    }
    if (files == 0) {
        fputs("no corpus: this test would show nothing\n", stderr);
        return 1;
    }
    printf("%d corpus files replayed\n", files);
    return 0;
}
