/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of percentile curves: .hgrm files in, one SVG out, on axes as HdrHistogram's plots have them
 * (percentiles by their distance from 100, latency by powers of ten).
 *
 *     hgrm_svg TITLE FILE.hgrm... >picture.svg */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURVES_MAX 8
#define POINTS_MAX 1024

#define WIDTH  800.0
#define HEIGHT 460.0
#define LEFT   70.0
#define RIGHT  20.0
#define TOP    40.0
#define BOTTOM 50.0

struct point {
    double nines; /* log10(1 / (1 - percentile)) */
    double value;
};

struct curve {
    const char *name;
    unsigned point_count;
    struct point points[POINTS_MAX];
};

struct axes {
    double nines_max;
    double decade_min; /* log10 of the lowest and the highest value shown */
    double decade_max;
};

static const char *const colours[CURVES_MAX] = {"#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad",
                                                "#d68910", "#555555", "#16a085", "#a04000"};

/* Its file name without directory and ending. */
static const char *curve_name(char *path)
{
    char *slash = strrchr(path, '/');
    char *name = slash != NULL ? slash + 1 : path;
    char *dot = strrchr(name, '.');
    if (dot != NULL) {
        *dot = '\0';
    }
    return name;
}

/* False: the file cannot be read or has no row. The last row, percentile 1, has no distance and goes where
 * the row before it is. */
static bool curve_read(char *path, struct curve *ret_curve)
{
    FILE *file = fopen(path, "r");
    char line[256];
    if (file == NULL) {
        return false;
    }
    ret_curve->point_count = 0;
    double nines = 0;
    while (fgets(line, sizeof(line), file) != NULL && ret_curve->point_count < POINTS_MAX) {
        double value;
        double percentile;
        if (sscanf(line, "%lf %lf", &value, &percentile) == 2 && value > 0) {
            nines = percentile < 1.0 ? -log10(1.0 - percentile) : nines;
            ret_curve->points[ret_curve->point_count++] = (struct point){.nines = nines, .value = value};
        }
    }
    fclose(file);
    ret_curve->name = curve_name(path);
    return ret_curve->point_count > 0;
}

static struct axes axes_of(const struct curve *curves, unsigned curve_count)
{
    struct axes axes = {.nines_max = 2, .decade_min = 99, .decade_max = -99};
    for (unsigned i = 0; i < curve_count; i++) {
        for (unsigned p = 0; p < curves[i].point_count; p++) {
            double decade = log10(curves[i].points[p].value);
            axes.nines_max = fmax(axes.nines_max, curves[i].points[p].nines);
            axes.decade_min = fmin(axes.decade_min, floor(decade));
            axes.decade_max = fmax(axes.decade_max, ceil(decade));
        }
    }
    axes.decade_max = fmax(axes.decade_max, axes.decade_min + 1);
    return axes;
}

static double x_of(const struct axes *axes, double nines)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * nines / axes->nines_max;
}

static double y_of(const struct axes *axes, double value)
{
    double part = (log10(value) - axes->decade_min) / (axes->decade_max - axes->decade_min);
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part;
}

static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&' || *text == '<' || *text == '>') {
            printf("&#%d;", *text);
        } else {
            putchar(*text);
        }
    }
}

static void print_x_axis(const struct axes *axes)
{
    static const struct {
        double nines;
        const char *label;
    } ticks[] = {{0, "0"},     {0.30103, "50%"}, {1, "90%"},    {2, "99%"},
                 {3, "99.9%"}, {4, "99.99%"},    {5, "99.999%"}};
    for (unsigned i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        if (ticks[i].nines <= axes->nines_max) {
            double x = x_of(axes, ticks[i].nines);
            printf("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n", x, TOP, x,
                   HEIGHT - BOTTOM);
            printf("<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", x, HEIGHT - BOTTOM + 18,
                   ticks[i].label);
        }
    }
}

static void print_y_axis(const struct axes *axes)
{
    for (double decade = axes->decade_min; decade <= axes->decade_max; decade++) {
        for (unsigned part = 1; part < 10; part++) {
            double value = pow(10, decade) * part;
            if (part > 1 && decade >= axes->decade_max) {
                break;
            }
            double y = y_of(axes, value);
            printf("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='%s'/>\n", LEFT, y, WIDTH - RIGHT, y,
                   part == 1 ? "#bbb" : "#eee");
            if (part == 1 || part == 2 || part == 5) {
                printf("<text x='%.1f' y='%.1f' text-anchor='end'>%g us</text>\n", LEFT - 6, y + 4, value);
            }
        }
    }
}

static void print_curve(const struct axes *axes, const struct curve *curve, unsigned number)
{
    printf("<polyline fill='none' stroke='%s' stroke-width='2' points='", colours[number]);
    for (unsigned p = 0; p < curve->point_count; p++) {
        printf("%.1f,%.1f ", x_of(axes, curve->points[p].nines), y_of(axes, curve->points[p].value));
    }
    printf("'/>\n<text x='%.1f' y='%.1f' fill='%s'>", LEFT + 12, TOP + 18 + 16 * number, colours[number]);
    print_escaped(curve->name);
    printf("</text>\n");
}

static void print_picture(const char *title, const struct curve *curves, unsigned curve_count)
{
    struct axes axes = axes_of(curves, curve_count);
    printf("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' font-family='sans-serif' "
           "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
           WIDTH, HEIGHT);
    printf("<text x='%.1f' y='24' font-size='15'>", LEFT);
    print_escaped(title);
    printf("</text>\n");
    print_y_axis(&axes);
    print_x_axis(&axes);
    for (unsigned i = 0; i < curve_count; i++) {
        print_curve(&axes, &curves[i], i);
    }
    printf("</svg>\n");
}

int main(int argc, char **argv)
{
    static struct curve curves[CURVES_MAX];
    unsigned count = 0;
    if (argc < 3 || argc - 2 > CURVES_MAX) {
        fprintf(stderr, "usage: %s TITLE FILE.hgrm... (at most %d)\n", argv[0], CURVES_MAX);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        if (!curve_read(argv[i], &curves[count++])) {
            fprintf(stderr, "hgrm_svg: %s: cannot be read, or is no .hgrm file\n", argv[i]);
            return 1;
        }
    }
    print_picture(argv[1], curves, count);
    return 0;
}
