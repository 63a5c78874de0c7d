"""The conversation: turns in order (`turnlist`), asking (`talk`), its names (`chats`), and its ways out and in again."""
