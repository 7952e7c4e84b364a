package measurement

// Hold is for loads: see package load.
func (l *Lab) Hold(addr string, count int) (release func() error, err error) {
	if err := l.client.Hold(addr, count); err != nil {
		return nil, err
	}
	return l.client.Release, nil
}
