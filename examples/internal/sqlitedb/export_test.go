package sqlitedb

// Unarmed runs sql without arming the connection first.
func (c *Conn) Unarmed(sql string) error {
	_, err := c.conn.Exec(sql, nil)
	return err
}
