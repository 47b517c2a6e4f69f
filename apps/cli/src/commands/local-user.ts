/** What names a user, in the words of `--help`. */
export const LOCAL_USER = 'a user id of this server, or what stands before its colon';
