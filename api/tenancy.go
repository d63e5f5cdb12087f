package api

import "switchyard/api/tenancy"

// What is shown of tenants and of GPU clusters, and who answers it.
type (
	Tenancy          = tenancy.Tenancy
	Bills            = tenancy.Bills
	TenantName       = tenancy.TenantName
	TenantView       = tenancy.TenantView
	TenantGPUs       = tenancy.TenantGPUs
	TenantNode       = tenancy.TenantNode
	SLAView          = tenancy.SLAView
	TenantEvent      = tenancy.TenantEvent
	TenantJob        = tenancy.TenantJob
	UsageRequest     = tenancy.UsageRequest
	UsageView        = tenancy.UsageView
	UsageRow         = tenancy.UsageRow
	UsageGPU         = tenancy.UsageGPU
	InvoiceView      = tenancy.InvoiceView
	Document         = tenancy.Document
	AvailabilityView = tenancy.AvailabilityView
	MoreView         = tenancy.MoreView
	Clusters         = tenancy.Clusters
	ClusterInfo      = tenancy.ClusterInfo
	ClusterLive      = tenancy.ClusterLive
	ClusterView      = tenancy.ClusterView
	ClusterNode      = tenancy.ClusterNode
	ClusterClass     = tenancy.ClusterClass
	ClusterEffect    = tenancy.ClusterEffect
	ClusterBlock     = tenancy.ClusterBlock
	ClusterQueue     = tenancy.ClusterQueue
	ClusterJob       = tenancy.ClusterJob
	NodeHold         = tenancy.NodeHold
	Announcement     = tenancy.Announcement
	Curtailments     = tenancy.Curtailments
	CurtailRequest   = tenancy.CurtailRequest
	CurtailmentsView = tenancy.CurtailmentsView
	CurtailmentView  = tenancy.CurtailmentView
	RightView        = tenancy.RightView
)
