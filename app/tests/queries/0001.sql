-- What the release on revision 0001 runs. Each statement must work on the schema after the next expansion too.
INSERT INTO users (email, password_hash) VALUES (gen_random_uuid() || '@example.com', 'hash');
SELECT id, password_hash FROM users WHERE email = 'a@example.com';
INSERT INTO conversations (owner, title) SELECT max(id), 'title' FROM users;
UPDATE conversations SET title = 'other', updated_at = now() WHERE owner = 1;
INSERT INTO messages (conversation_id, author, body) SELECT max(id), 'user', 'written as body' FROM conversations;
INSERT INTO jobs (message_id) SELECT max(id) FROM messages;
UPDATE messages SET body = 'changed as body' WHERE body = 'written as body';
SELECT id, conversation_id, author, body, reply_to, created_at FROM messages WHERE body = 'changed as body';
INSERT INTO revoked_tokens (jti, expires_at) VALUES (gen_random_uuid(), now() + interval '1 hour');
DELETE FROM jobs WHERE state = 'done';
