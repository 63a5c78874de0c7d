"""The conversation: turns in order (`turnlist`), asking (`talk`), names (`chats`), and the ways out and in again."""
