//go:build !linux

package vrrp

import (
	"context"
	"errors"
	"net/netip"

	"go.uber.org/zap"
)

// nowhere is a host without VRRP: the pure parts of the package build and are
// tested on any system, but only Linux has what the rest needs.
type nowhere struct{}

var errLinuxOnly = errors.New("VRRP needs Linux")

func newHost(*zap.Logger) host {
	return host{nowhere{}, nowhere{}, nowhere{}, nowhere{}}
}

func (nowhere) sit() (desk, error)                             { return nil, errLinuxOnly }
func (nowhere) overhear(link, bool, []netip.Addr) (ear, error) { return nil, errLinuxOnly }
func (nowhere) hold(holding) error                             { return errLinuxOnly }
func (nowhere) renew([]holding) error                          { return errLinuxOnly }
func (nowhere) release(link, netip.Prefix) error               { return errLinuxOnly }
func (nowhere) prepare(link, netip.Addr) error                 { return errLinuxOnly }
func (nowhere) announce(link, netip.Addr) error                { return errLinuxOnly }
func (nowhere) forget(link) error                              { return errLinuxOnly }
func (nowhere) watch(context.Context, func(table)) error       { return errLinuxOnly }
func (nowhere) shown(uint8) (scene, error)                     { return scene{}, errLinuxOnly }
func (nowhere) do(uint8, op) error                             { return errLinuxOnly }
func (nowhere) ask(link, netip.Addr, netip.Addr) error         { return errLinuxOnly }
