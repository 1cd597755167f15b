#pragma once
/*
 * An intrusive, circular, doubly linked list. The head is a `struct list` of its own; members
 * embed one. A node that was removed points to itself, so that a second removal does nothing.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name)                                                                            \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves all members of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_first(head, type, member)                                                             \
    (list_empty(head) ? NULL : container_of((head)->next, type, member))

#define list_for_each(it, head, member)                                                            \
    for ((it) = container_of((head)->next, __typeof__(*(it)), member); &(it)->member != (head);    \
         (it) = container_of((it)->member.next, __typeof__(*(it)), member))

/* The current member may be removed (and freed) in the body; no other may. */
#define list_for_each_safe(it, tmp, head, member)                                                  \
    for ((it) = container_of((head)->next, __typeof__(*(it)), member),                             \
        (tmp) = container_of((it)->member.next, __typeof__(*(it)), member);                        \
         &(it)->member != (head);                                                                  \
         (it) = (tmp), (tmp) = container_of((tmp)->member.next, __typeof__(*(it)), member))
