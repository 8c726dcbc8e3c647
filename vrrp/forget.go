package vrrp

import (
	"time"

	"go.uber.org/zap"
)

// recovery is for how long after its cable was out a link may have neighbours that
// were asked for in vain. The kernel asks three times, once a second, and then
// anew with the next packet.
const recovery = 3 * time.Second

// forget has those neighbours asked for anew that have not answered so far, on
// the links that have just come up, where addresses have been put up and announced.
// While a cable is out the kernel asks in vain, once a second: a client that it has
// asked for just before the cable was back would have no answer for the rest of
// that second.
func (k *keeper) forget() {
	for index, l := range k.fresh {
		delete(k.fresh, index)
		if err := k.kernel.forget(l); err != nil {
			k.log.Warn("neighbours that have not answered are not asked anew", zap.String("interface", l.name), zap.Error(err))
		}
	}
}
